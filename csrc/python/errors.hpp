// C++ exceptions and what they become in Python.
#pragma once

#include <prunecell/error.hpp>

#include <pybind11/pybind11.h>

namespace prunecell::python {

/// An argument of the wrong Python type or element type.
struct InvalidType : InvalidArgument {
  using InvalidArgument::InvalidArgument;
};

/// Creates the exception classes in the module and maps each C++ type to its own.
void init_errors(pybind11::module_& module);

}  // namespace prunecell::python
