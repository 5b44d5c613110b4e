# The sources of the plugin, for the build over CUDA and the one over the shim of the tests.
set(PRUNECELL_CUDA_KERNELS pack.cu rebuild.cu search.cu select.cu session.cu)
set(PRUNECELL_CUDA_HOST plugin.cpp runtime.cpp)
list(TRANSFORM PRUNECELL_CUDA_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM PRUNECELL_CUDA_HOST PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
