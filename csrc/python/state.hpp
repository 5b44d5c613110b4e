// Parameters and states of cells as dicts of Python, by the names of the table.
#pragma once

#include <prunecell/parameters.hpp>
#include <prunecell/prune_cell.hpp>

#include <pybind11/pybind11.h>

namespace prunecell::python {

pybind11::dict to_dict(const Parameters& parameters);
pybind11::dict to_dict(const CellState& state);

/// Every parameter by its name. Ranges are checked by the cell.
Parameters parameters_of(const pybind11::dict& given);

/// Raises InvalidArgument for what `to_dict` cannot have given. Ranges, shapes and masks are checked by the cell.
CellState state_of(const pybind11::dict& given);

}  // namespace prunecell::python
