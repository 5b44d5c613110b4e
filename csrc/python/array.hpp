// From Python arrays to views: numpy arrays (bfloat16 by the name of their dtype) and whatever speaks DLPack.
#pragma once

#include <prunecell/types.hpp>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <string>

namespace prunecell::python {

namespace py = pybind11;

enum class Access : bool { read, write };

/// A view with what keeps its memory alive. Destroy it with the GIL held.
struct Array {
  TensorView view;
  Shape shape;
  std::shared_ptr<void> owner;
};

/// `what` begins the messages ("weights[2]"). Raises InvalidType for objects that are no arrays or have another
/// element type than float16, bfloat16, float32, float64; InvalidArgument for memory that is not dense, not in
/// the native byte order, or read-only where it would be written.
Array array_of(py::handle object, const std::string& what, Access access);

/// As array_of, with an empty view for None.
Array optional_array_of(py::handle object, const std::string& what, Access access);

}  // namespace prunecell::python
