# The sources of the plugin, for the build over CUDA and those of the tests.
set(PRUNECELL_CUDA_KERNELS apply_masks.cu build_masks.cu count_zeros.cu kth_smallest.cu pack_weights.cu host/session.cu)
set(PRUNECELL_CUDA_HOST host/plugin.cpp host/runtime.cpp)
list(TRANSFORM PRUNECELL_CUDA_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM PRUNECELL_CUDA_HOST PREPEND ${CMAKE_CURRENT_LIST_DIR}/)

# Limits are rounded twice, and denormals count: docs/semantics.md.
set(PRUNECELL_CUDA_FLAGS --expt-relaxed-constexpr --fmad=false --ftz=false --prec-div=true --prec-sqrt=true)
