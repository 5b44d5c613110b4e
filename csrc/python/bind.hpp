// The binders, one per concept, in the order in which module.cpp calls them.
#pragma once

#include <pybind11/pybind11.h>

namespace prunecell::python {

void bind_cuda(pybind11::module_& module);
void bind_mask(pybind11::module_& module);
void bind_ops(pybind11::module_& module);
void bind_gradient_hook(pybind11::module_& module);
void bind_level_search(pybind11::module_& module);
void bind_parameters(pybind11::module_& module);
void bind_prune_cell(pybind11::module_& module);

}  // namespace prunecell::python
