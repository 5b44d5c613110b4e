#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/prune_cell.hpp>

#include <pybind11/stl.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace prunecell::python {
namespace {

using PyTensor = std::tuple<py::object, py::object, py::object>;  // weights, gradient or None, pruned or None
using PyTensors = std::vector<PyTensor>;

/// The memory of one cell's tensors for one call.
struct Memory {
  std::vector<Array> arrays;
  std::vector<CellTensor> tensors;

  explicit Memory(std::size_t count) {
    arrays.reserve(2 * count);
    tensors.reserve(count);
  }

  TensorView view(const py::object& array, const ArgumentName& name, Access access) {
    return arrays.emplace_back(optional_array_of(array, name, access)).view;
  }
};

Memory weights_of(const PruneCell& cell, const PyTensors& given) {
  const Access access = cell.parameters().in_place ? Access::write : Access::read;
  Memory memory(given.size());
  for (std::size_t t = 0; t < given.size(); ++t) {
    const auto& [weights, gradient, pruned] = given[t];
    memory.tensors.push_back({.weights = memory.view(weights, {"weights", t}, access),
                              .pruned = memory.view(pruned, {"pruned", t}, Access::write)});
  }
  return memory;
}

Memory gradients_of(const PyTensors& given) {
  Memory memory(given.size());
  for (std::size_t t = 0; t < given.size(); ++t)
    memory.tensors.push_back(
        {.weights = {}, .gradient = memory.view(std::get<1>(given[t]), {"diff_weights", t}, Access::write)});
  return memory;
}

using PyCalls = std::vector<std::pair<PruneCell*, PyTensors>>;

/// function(context, calls), with the GIL released.
template <class Function>
void with_calls(const PyCalls& given, int threads, Function&& function) {
  std::vector<Memory> memories;
  std::vector<CellCall> calls;
  memories.reserve(given.size());  // no move: the calls view them
  calls.reserve(given.size());
  for (const auto& [cell, tensors] : given) {
    if (!cell) throw InvalidType("calls: expected a PruneCell, got None");
    calls.push_back({cell, memories.emplace_back(weights_of(*cell, tensors)).tensors});
  }
  Context context{.threads = threads};
  for (const Memory& memory : memories)
    if (context.device == Device{}) context = context_of(memory.arrays, threads);
  py::gil_scoped_release nogil;
  function(context, std::span<const CellCall>(calls));
}

py::array_t<std::uint8_t> to_array(const std::vector<std::byte>& bytes, const Shape& shape) {
  const std::int64_t rows = shape.empty() ? 1 : shape.front();
  py::array_t<std::uint8_t> out({rows, rows ? std::int64_t(bytes.size()) / rows : 0});
  std::memcpy(out.mutable_data(), bytes.data(), bytes.size());
  return out;
}

py::dict save(const PruneCell& cell) {
  const CellState state = [&] {
    py::gil_scoped_release nogil;  // a device may have to finish first
    return cell.save();
  }();
  const Parameters& p = state.parameters;
  py::dict parameters, out;
  parameters["prune_mode"] = name(p.mode);
  parameters["prune_filler"] = name(p.filler);
  parameters["threshold"] = p.threshold;
  parameters["delta"] = p.delta;
  parameters["start"] = p.start;
  parameters["stepsize"] = p.stepsize;
  parameters["gamma"] = p.gamma;
  parameters["in_place"] = p.in_place;
  parameters["seed"] = p.seed;
  py::list tensors;
  for (const CellState::Tensor& tensor : state.tensors) {
    py::dict one;
    one["shape"] = shape_tuple(tensor.shape);
    one["zeros"] = tensor.figures.zeros;
    one["level"] = tensor.figures.level;
    one["asked"] = tensor.figures.asked;
    one["initialized"] = tensor.initialized;
    one["mask"] = tensor.mask.empty() ? py::object(py::none()) : to_array(tensor.mask, tensor.shape);
    tensors.append(one);
  }
  out["format"] = state.format;
  out["parameters"] = parameters;
  out["current"] = state.current;
  out["rises"] = state.rises;
  out["counter"] = state.counter;
  out["tensors"] = tensors;
  return out;
}

Parameters parameters_of(const py::dict& given) {
  return {.mode = parse_mode(given["prune_mode"].cast<std::string>()),
          .filler = parse_filler(given["prune_filler"].cast<std::string>()),
          .threshold = given["threshold"].cast<double>(),
          .delta = given["delta"].cast<double>(),
          .start = given["start"].cast<double>(),
          .stepsize = given["stepsize"].cast<std::int64_t>(),
          .gamma = given["gamma"].cast<double>(),
          .in_place = given["in_place"].cast<bool>(),
          .seed = given["seed"].cast<std::uint64_t>()};
}

CellState state_of(const py::dict& given) {
  try {
    CellState state{.format = given["format"].cast<std::int64_t>(),
                    .parameters = parameters_of(given["parameters"]),
                    .current = given["current"].cast<float>(),
                    .rises = given["rises"].cast<std::int64_t>(),
                    .counter = given["counter"].cast<std::int64_t>()};
    for (const py::handle entry : given["tensors"]) {
      const auto one = entry.cast<py::dict>();
      CellState::Tensor tensor{.shape = one["shape"].cast<Shape>(), .figures = {}, .mask = {}};
      tensor.figures.zeros = one["zeros"].cast<std::int64_t>();
      tensor.figures.level = one["level"].cast<std::int64_t>();
      tensor.figures.asked = one["asked"].cast<float>();
      tensor.initialized = one["initialized"].cast<bool>();
      if (!one["mask"].is_none()) {
        const auto rows = one["mask"].cast<py::array_t<std::uint8_t, py::array::c_style>>();
        const auto* bytes = reinterpret_cast<const std::byte*>(rows.data());
        tensor.mask.assign(bytes, bytes + rows.nbytes());
      }
      state.tensors.push_back(std::move(tensor));
    }
    return state;
  } catch (const py::error_already_set& error) {
    throw InvalidArgument(std::string("state: not one that state_dict gave: ") + error.what());
  } catch (const py::cast_error& error) {
    throw InvalidArgument(std::string("state: a value has another type than state_dict gave: ") + error.what());
  }
}

}  // namespace

void bind_prune_cell(py::module_& module) {
  py::class_<Figures>(module, "Figures", "Sparsity of one tensor.")
      .def_readonly("size", &Figures::size, "Number of weights.")
      .def_readonly("zeros", &Figures::zeros, "Number of pruned weights.")
      .def_readonly("level", &Figures::level, "Delta steps that IterNonStruct took at the last rebuild.")
      .def_readonly("asked", &Figures::asked, "Threshold of the last rebuild.")
      .def_property_readonly("reached", &Figures::reached, "Share of pruned weights.")
      .def_property_readonly("overshoot", &Figures::overshoot, "reached - asked: weights that tie fall together.")
      .def("__repr__", [](const Figures& f) {
        return py::str("Figures(asked={:.4g}, reached={:.4g}, zeros={} of {}, level={}, overshoot={:.2g})")
            .format(f.asked, f.reached(), f.zeros, f.size, f.level, f.overshoot());
      });

  py::class_<PruneCell>(module, "PruneCell", "Schedule and masks of one or more tensors (prune_cell.hpp).")
      .def(py::init([](const py::dict& parameters) { return PruneCell(parameters_of(parameters)); }),
           py::arg("parameters"))
      .def("copy", [](const PruneCell& cell) { return PruneCell(cell); })
      .def("add_tensor", &PruneCell::add_tensor, py::arg("shape"), py::arg("name") = "")
      .def("drop_tensor", &PruneCell::drop_tensor, py::arg("tensor"))
      .def(
          "propagate",
          [](PruneCell& cell, const PyTensors& tensors, int threads) {
            const Memory memory = weights_of(cell, tensors);
            const Context context = context_of(memory.arrays, threads);
            py::gil_scoped_release nogil;
            cell.propagate(context, memory.tensors);
          },
          py::arg("tensors"), py::arg("threads") = 0)
      .def(
          "back_propagate",
          [](PruneCell& cell, const PyTensors& tensors, int threads) {
            const Memory memory = gradients_of(tensors);
            const Context context = context_of(memory.arrays, threads);
            py::gil_scoped_release nogil;
            cell.back_propagate(context, memory.tensors);
          },
          py::arg("tensors"), py::arg("threads") = 0)
      .def("due", &PruneCell::due, py::arg("batch_size"))
      .def("set_mask", &PruneCell::set_mask, py::arg("tensor"), py::arg("mask"))
      .def(
          "mask", [](const PruneCell& cell, std::size_t tensor) { return cell.mask(tensor); }, py::arg("tensor"),
          py::return_value_policy::reference_internal)
      .def("save", &save)
      .def(
          "load", [](PruneCell& cell, const py::dict& state, bool keep) { cell.load(state_of(state), keep); },
          py::arg("state"), py::arg("keep_parameters") = false)
      .def_property_readonly("initialized", &PruneCell::initialized)
      .def_property_readonly("current", [](const PruneCell& cell) { return cell.schedule().current(); })
      .def_property_readonly("rises", [](const PruneCell& cell) { return cell.schedule().rises(); })
      .def_property_readonly("counter", [](const PruneCell& cell) { return cell.schedule().counter(); })
      .def_property_readonly("tensor_count", &PruneCell::tensor_count)
      .def_property_readonly("idle_enforcements", &PruneCell::idle_enforcements)
      .def(
          "shape", [](const PruneCell& cell, std::size_t t) { return shape_tuple(cell.shape(t)); }, py::arg("tensor"))
      .def("name", &PruneCell::tensor_name, py::arg("tensor"))
      .def("figures", &PruneCell::figures, py::arg("tensor"), py::call_guard<py::gil_scoped_release>())
      .def("wait", &PruneCell::wait, py::call_guard<py::gil_scoped_release>());

  module.def(
      "initialize",
      [](const PyCalls& calls, bool reset, int threads) {
        with_calls(calls, threads, [=](const Context& context, auto cells) { initialize(context, cells, reset); });
      },
      py::arg("calls"), py::arg("reset") = false, py::arg("threads") = 0);
  module.def(
      "update",
      [](const PyCalls& calls, std::int64_t batch_size, int threads) {
        with_calls(calls, threads, [=](const Context& context, auto cells) { update(context, cells, batch_size); });
      },
      py::arg("calls"), py::arg("batch_size"), py::arg("threads") = 0);
  module.def(
      "end_epoch",
      [](const PyCalls& calls, int threads) {
        with_calls(calls, threads, [](const Context& context, auto cells) { end_epoch(context, cells); });
      },
      py::arg("calls"), py::arg("threads") = 0);
}

}  // namespace prunecell::python
