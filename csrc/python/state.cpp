#include "state.hpp"

#include "array.hpp"

#include <prunecell/error.hpp>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace prunecell::python {
namespace {

struct Get {
  const Parameters& from;

  template <class Value>
  py::object operator()(accepted::OneOf<Value> word) const {
    return py::str(name(from.*word.member));
  }
  py::object operator()(auto number) const { return py::cast(from.*number.member); }
};

struct Set {
  Parameters& to;
  py::object value;

  template <class Value>
  void operator()(accepted::OneOf<Value> word) const {
    to.*word.member = parse<Value>(value.cast<std::string>());
  }
  template <class Accepted>
  void operator()(Accepted number) const {
    using Number = std::remove_reference_t<decltype(to.*number.member)>;
    to.*number.member = value.cast<Number>();
  }
};

py::dict to_dict(const CellState::Tensor& tensor) {
  py::dict out;
  out["shape"] = shape_tuple(tensor.shape);
  out["zeros"] = tensor.figures.zeros;
  out["level"] = tensor.figures.level;
  out["asked"] = tensor.figures.asked;
  out["tied"] = tensor.figures.tied;
  out["initialized"] = tensor.initialized;
  out["mask"] = tensor.mask.empty() ? py::object(py::none()) : saved_rows(tensor.mask, tensor.shape);
  return out;
}

CellState::Tensor tensor_of(const py::dict& given) {
  CellState::Tensor tensor{.shape = given["shape"].cast<Shape>(), .figures = {}, .mask = {}};
  tensor.figures.zeros = given["zeros"].cast<std::int64_t>();
  tensor.figures.level = given["level"].cast<std::int64_t>();
  tensor.figures.asked = given["asked"].cast<float>();
  tensor.figures.tied = given["tied"].cast<bool>();
  tensor.initialized = given["initialized"].cast<bool>();
  if (!given["mask"].is_none()) {
    const auto rows = given["mask"].cast<py::array_t<std::uint8_t, py::array::c_style>>();
    const auto* bytes = reinterpret_cast<const std::byte*>(rows.data());
    tensor.mask.assign(bytes, bytes + rows.nbytes());
  }
  return tensor;
}

}  // namespace

py::dict to_dict(const Parameters& parameters) {
  py::dict out;
  for (const ParameterRow& row : parameter_table) out[row.name] = std::visit(Get{parameters}, row.accepts);
  return out;
}

Parameters parameters_of(const py::dict& given) {
  Parameters out;
  for (const ParameterRow& row : parameter_table) std::visit(Set{out, given[row.name]}, row.accepts);
  return out;
}

py::dict to_dict(const CellState& state) {
  py::dict out;
  py::list tensors;
  for (const CellState::Tensor& tensor : state.tensors) tensors.append(to_dict(tensor));
  out["format"] = state.format;
  out["parameters"] = to_dict(state.parameters);
  out["current"] = state.current;
  out["rises"] = state.rises;
  out["counter"] = state.counter;
  out["tensors"] = tensors;
  return out;
}

CellState state_of(const py::dict& given) {
  try {
    CellState state{.format = given["format"].cast<std::int64_t>(),
                    .parameters = parameters_of(given["parameters"]),
                    .current = given["current"].cast<float>(),
                    .rises = given["rises"].cast<std::int64_t>(),
                    .counter = given["counter"].cast<std::int64_t>()};
    for (const py::handle tensor : given["tensors"]) state.tensors.push_back(tensor_of(tensor.cast<py::dict>()));
    return state;
  } catch (const py::error_already_set& error) {
    throw InvalidArgument(std::string("state: not one that state_dict gave: ") + error.what());
  } catch (const py::cast_error& error) {
    throw InvalidArgument(std::string("state: a value has another type than state_dict gave: ") + error.what());
  }
}

}  // namespace prunecell::python
