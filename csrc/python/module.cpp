#include "bind.hpp"
#include "errors.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace prunecell::python;
  module.doc() = "Native core of prunecell. Private: use the functions and classes of the package.";
  module.attr("__version__") = PRUNECELL_VERSION;
  init_errors(module);
  bind_mask(module);  // before the functions whose signatures name the class
  bind_ops(module);
  bind_gradient_hook(module);
  bind_level_search(module);
  bind_parameters(module);
  bind_prune_cell(module);
  bind_cuda(module);
}
