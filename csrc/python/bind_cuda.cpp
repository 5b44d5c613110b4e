#include "bind.hpp"

#include <prunecell/cuda.hpp>

namespace prunecell::python {

void bind_cuda(pybind11::module_& module) {
  namespace py = pybind11;
  module.def("cuda_is_available", &cuda::is_available);
  module.def("cuda_device_count", &cuda::device_count);
  module.def("cuda_unavailable_reason", &cuda::unavailable_reason);
  module.def("load_cuda_plugin", &cuda::load_plugin, py::arg("path"),
             "Takes the CUDA back end from this library, not from the one beside the package.");
}

}  // namespace prunecell::python
