// From Python arrays to views: numpy arrays (bfloat16 by the name of their dtype) and whatever speaks DLPack or, on
// CUDA devices, has `__cuda_array_interface__`. A view is made anew for every call, since arrays move, and costs tens
// of nanoseconds for numpy and torch.
#pragma once

#include <prunecell/ops.hpp>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace prunecell::python {

namespace py = pybind11;

enum class Access : bool { read, write };

/// How messages call an argument: "weights", or "weights[2]". Put together only where there is a message.
struct ArgumentName {
  static constexpr std::size_t alone = std::size_t(-1);

  const char* word;
  std::size_t number = alone;

  operator std::string() const {
    return number == alone ? std::string(word) : word + ("[" + std::to_string(number) + "]");
  }
};

/// A view with what keeps its memory alive. Destroy it with the GIL held.
struct Array {
  TensorView view;
  std::span<const std::int64_t> shape;  ///< the owner's; read it before the GIL is released
  py::object owner;
  void* stream = nullptr;  ///< CUDA: the one that its framework works on
};

/// Raises InvalidType for objects that are no arrays or have another element type than float16, bfloat16,
/// float32, float64; InvalidArgument for memory that is not dense, not in the native byte order, or read-only
/// where it would be written.
Array array_of(py::handle object, const ArgumentName& name, Access access);

/// As array_of, with an empty view for None.
Array optional_array_of(py::handle object, const ArgumentName& name, Access access);

/// Where a call over these arrays runs: on the device of the first one that is there, on its stream.
Context context_of(std::span<const Array> arrays, int threads);

/// The saved form of a mask: uint8[rows, bytes of a row], see Mask::saved_rows().
py::array_t<std::uint8_t> saved_rows(std::span<const std::byte> bytes, const Shape& shape);

py::tuple shape_tuple(std::span<const std::int64_t> shape);

}  // namespace prunecell::python
