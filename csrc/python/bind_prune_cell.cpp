#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"
#include "shared_cell.hpp"
#include "state.hpp"

#include <prunecell/prune_cell.hpp>

#include <pybind11/stl.h>

#include <memory>
#include <optional>
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

Memory weights_of(const SharedCell& cell, const PyTensors& given) {
  const Access access = cell.in_place ? Access::write : Access::read;
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

using PyCalls = std::vector<std::pair<SharedCell*, PyTensors>>;

/// The numbers of the calls whose cells have new figures.
std::vector<std::size_t> news_of(const std::vector<CellCall>& calls) {
  std::vector<std::size_t> news;
  for (std::size_t c = 0; c < calls.size(); ++c)
    if (calls[c].cell->take_news()) news.push_back(c);
  return news;
}

/// function(context, calls), with the GIL released. Returns the numbers of the calls whose cells have new figures.
template <class Function>
std::vector<std::size_t> with_calls(const PyCalls& given, int threads, Function&& function) {
  std::vector<Memory> memories;
  std::vector<CellCall> calls;
  std::vector<SharedCell*> shared;
  memories.reserve(given.size());  // no move: the calls view them
  calls.reserve(given.size());
  for (const auto& [cell, tensors] : given) {
    if (!cell) throw InvalidType("calls: expected a PruneCell, got None");
    shared.push_back(cell);
    calls.push_back({&cell->cell(), memories.emplace_back(weights_of(*cell, tensors)).tensors});
  }
  Context context{.threads = threads};
  for (const Memory& memory : memories)
    if (context.device == Device{}) context = context_of(memory.arrays, threads);
  const py::gil_scoped_release nogil;
  const SharedCells ours(std::move(shared));
  function(context, std::span<const CellCall>(calls));
  return news_of(calls);
}

/// Counts samples where that is all that an update does: as update() of calls without tensors. Nothing, and nothing is
/// done, where some cell is due.
std::optional<std::vector<std::size_t>> count(std::vector<SharedCell*> cells, std::int64_t batch_size) {
  std::vector<CellCall> calls;
  for (SharedCell* cell : cells) {
    if (!cell) throw InvalidType("cells: expected a PruneCell, got None");
    calls.push_back({&cell->cell(), {}});
  }
  const py::gil_scoped_release nogil;
  const SharedCells ours(std::move(cells));
  for (const CellCall& call : calls)
    if (call.cell->due(batch_size)) return std::nullopt;
  update(Context{}, calls, batch_size);
  return news_of(calls);
}

/// A property that is read at once.
template <class Read>
auto asks(Read read) {
  return [read](SharedCell& shared) { return shared.ask(read); };
}

}  // namespace

void bind_prune_cell(py::module_& module) {
  py::class_<Figures>(module, "Figures", "Sparsity of one tensor.")
      .def(py::init<std::int64_t, std::int64_t, std::int64_t, float>(), py::arg("size"), py::arg("zeros"),
           py::arg("level"), py::arg("asked"))
      .def_readonly("size", &Figures::size, "Number of weights.")
      .def_readonly("zeros", &Figures::zeros, "Number of pruned weights.")
      .def_readonly("level", &Figures::level, "Delta steps that IterNonStruct took at the last rebuild.")
      .def_readonly("asked", &Figures::asked, "Threshold of the last rebuild.")
      .def_readonly("tied", &Figures::tied,
                    "With ties='keep': the last rebuild would have pruned all weights, and left the mask as it was.")
      .def_property_readonly("reached", &Figures::reached, "Share of pruned weights.")
      .def_property_readonly("overshoot", &Figures::overshoot, "reached - asked: weights that tie fall together.")
      .def("__repr__", [](const Figures& f) {
        return py::str("Figures(asked={:.4g}, reached={:.4g}, zeros={} of {}, level={}, overshoot={:.2g})")
            .format(f.asked, f.reached(), f.zeros, f.size, f.level, f.overshoot());
      });

  py::class_<SharedCell>(module, "PruneCell",
                         "Schedule and masks of one or more tensors (prune_cell.hpp). Threads may share one.")
      .def(py::init([](const py::dict& parameters) {
             return std::make_unique<SharedCell>(PruneCell(parameters_of(parameters)));
           }),
           py::arg("parameters"))
      .def("copy",
           [](SharedCell& shared) {
             return std::make_unique<SharedCell>(shared.work([](const PruneCell& cell) { return cell; }));
           })
      .def(
          "add_tensor",
          [](SharedCell& shared, const Shape& shape, const std::string& name) {
            return shared.ask([&](PruneCell& cell) { return cell.add_tensor(shape, name); });
          },
          py::arg("shape"), py::arg("name") = "")
      .def(
          "drop_tensor",
          [](SharedCell& shared, std::size_t t) { shared.ask([=](PruneCell& cell) { cell.drop_tensor(t); }); },
          py::arg("tensor"))
      .def(
          "propagate",
          [](SharedCell& shared, const PyTensors& tensors, int threads) {
            const Memory memory = weights_of(shared, tensors);
            const Context context = context_of(memory.arrays, threads);
            shared.work([&](PruneCell& cell) { cell.propagate(context, memory.tensors); });
          },
          py::arg("tensors"), py::arg("threads") = 0)
      .def(
          "back_propagate",
          [](SharedCell& shared, const PyTensors& tensors, int threads) {
            const Memory memory = gradients_of(tensors);
            const Context context = context_of(memory.arrays, threads);
            shared.work([&](PruneCell& cell) { cell.back_propagate(context, memory.tensors); });
          },
          py::arg("tensors"), py::arg("threads") = 0)
      .def(
          "due",
          [](SharedCell& shared, std::int64_t batch_size) {
            return shared.work([=](PruneCell& cell) { return cell.due(batch_size); });
          },
          py::arg("batch_size"))
      .def(
          "set_mask",
          [](SharedCell& shared, std::size_t tensor, const Mask& mask) {
            shared.work([&](PruneCell& cell) { cell.set_mask(tensor, mask); });
          },
          py::arg("tensor"), py::arg("mask"))
      .def(
          "mask",
          [](SharedCell& shared, std::size_t tensor) {
            return shared.ask([=](const PruneCell& cell) { return cell.mask(tensor); });
          },
          py::arg("tensor"), py::return_value_policy::reference_internal)
      .def("save",
           [](SharedCell& shared) {
             return to_dict(shared.work([](PruneCell& cell) {
               cell.wait();
               return cell.save();
             }));
           })
      .def(
          "load",
          [](SharedCell& shared, const py::dict& given, bool keep) {
            const CellState state = state_of(given);
            shared.work([&](PruneCell& cell) { cell.load(state, keep); });
          },
          py::arg("state"), py::arg("keep_parameters") = false)
      .def_property_readonly("initialized", asks([](const PruneCell& cell) { return cell.initialized(); }))
      .def_property_readonly("current", asks([](const PruneCell& cell) { return cell.schedule().current(); }))
      .def_property_readonly("rises", asks([](const PruneCell& cell) { return cell.schedule().rises(); }))
      .def_property_readonly("counter", asks([](const PruneCell& cell) { return cell.schedule().counter(); }))
      .def_property_readonly("tensor_count", asks([](const PruneCell& cell) { return cell.tensor_count(); }))
      .def_property_readonly("idle_enforcements", asks([](const PruneCell& cell) { return cell.idle_enforcements(); }))
      .def(
          "shape",
          [](SharedCell& shared, std::size_t t) {
            return shape_tuple(shared.ask([=](const PruneCell& cell) { return Shape(cell.shape(t)); }));
          },
          py::arg("tensor"))
      .def(
          "name",
          [](SharedCell& shared, std::size_t t) {
            return shared.ask([=](const PruneCell& cell) { return std::string(cell.tensor_name(t)); });
          },
          py::arg("tensor"))
      .def(
          "figures",
          [](SharedCell& shared, std::size_t t) {
            return shared.work([=](PruneCell& cell) {
              cell.wait();
              return Figures(cell.figures(t));
            });
          },
          py::arg("tensor"))
      .def(
          "known_figures",
          [](SharedCell& shared, std::size_t t) {
            return shared.ask([=](const PruneCell& cell) { return Figures(cell.known_figures(t)); });
          },
          py::arg("tensor"))
      .def("wait", [](SharedCell& shared) { shared.work([](PruneCell& cell) { cell.wait(); }); });

  module.def(
      "initialize",
      [](const PyCalls& calls, bool reset, int threads) {
        return with_calls(calls, threads,
                          [=](const Context& context, auto cells) { initialize(context, cells, reset); });
      },
      py::arg("calls"), py::arg("reset") = false, py::arg("threads") = 0);
  module.def(
      "update",
      [](const PyCalls& calls, std::int64_t batch_size, int threads) {
        return with_calls(calls, threads,
                          [=](const Context& context, auto cells) { update(context, cells, batch_size); });
      },
      py::arg("calls"), py::arg("batch_size"), py::arg("threads") = 0);
  module.def("count", &count, py::arg("cells"), py::arg("batch_size"));
  module.def(
      "end_epoch",
      [](const PyCalls& calls, int threads) {
        return with_calls(calls, threads, [](const Context& context, auto cells) { end_epoch(context, cells); });
      },
      py::arg("calls"), py::arg("threads") = 0);
}

}  // namespace prunecell::python
