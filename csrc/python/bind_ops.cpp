#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>
#include <prunecell/parameters.hpp>

#include <pybind11/stl.h>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace prunecell::python {
namespace {

template <class Job>
using Operation = void(const Context&, std::span<const Job>, std::span<Result>);

/// Jobs with the arrays they view.
template <class Job>
struct Batch {
  std::vector<Array> arrays;
  std::vector<Job> jobs;

  explicit Batch(std::size_t room) { arrays.reserve(room); }  // no move: what add() gives stays valid

  const Array& add(Array array) { return arrays.emplace_back(std::move(array)); }

  std::vector<Result> run(Operation<Job>* operation, int threads) const {
    std::vector<Result> results(jobs.size());
    const Context context = context_of(arrays, threads);
    py::gil_scoped_release nogil;
    operation(context, jobs, results);
    return results;
  }
  /// Without waiting for a CUDA device.
  void start(Operation<Job>* operation, int threads) const {
    const Context context = context_of(arrays, threads);
    py::gil_scoped_release nogil;
    operation(context, jobs, {});
  }
};

void check_length(const char* what, std::size_t length, std::size_t expected) {
  if (length != expected)
    throw InvalidArgument(std::string(what) + ": expected " + std::to_string(expected) +
                          " entries, one per array, got " + std::to_string(length));
}

void check_shape(const ArgumentName& name, std::span<const std::int64_t> shape, const Array& weights) {
  if (std::ranges::equal(shape, weights.shape)) return;
  throw InvalidArgument(std::string(name) + ": expected the shape of the weights " +
                        std::string(py::str(shape_tuple(weights.shape))) + ", got " +
                        std::string(py::str(shape_tuple(shape))));
}

MaskView view_of(const Mask* mask, const Array& weights, const ArgumentName& name) {
  if (!mask) throw InvalidType(std::string(name) + ": expected a Mask, got None");
  check_shape(name, mask->shape(), weights);
  return mask->view();
}

/// The masks, new ones where none are given, and what came of each.
std::pair<py::list, std::vector<Result>> build(const py::list& weights, const std::optional<py::list>& masks,
                                               const std::vector<const Mask*>& old, const std::string& filler,
                                               double threshold, double delta, std::uint64_t seed, bool apply,
                                               const std::string& ties, int threads) {
  if (masks) check_length("masks", masks->size(), weights.size());
  check_length("old", old.size(), weights.size());
  Parameters given{.filler = parse<Filler>(filler), .threshold = threshold, .delta = delta, .ties = parse<Ties>(ties)};
  validate(given);
  Batch<RebuildJob> batch(weights.size());
  py::list built;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Array& array = batch.add(array_of(weights[i], {"weights", i}, apply ? Access::write : Access::read));
    built.append(masks ? py::object((*masks)[i])
                       : py::cast(Mask(Shape(array.shape.begin(), array.shape.end()), array.view.device)));
    RebuildJob job{.weights = array.view,
                   .mask = view_of(built[i].cast<const Mask*>(), array, {"masks", i}),
                   .mask_is_new = !masks,
                   .rule = rule_of(given, to_float32(threshold), seed, std::uint32_t(i), 0)};
    if (old[i]) job.old = job.fallback = view_of(old[i], array, {"old", i});
    batch.jobs.push_back(job);
  }
  std::vector<Result> results = batch.run(apply ? rebuild_and_apply : build_masks, threads);
  return {std::move(built), std::move(results)};
}

/// Whether each array had weights in place that were not masked yet. Of a CUDA device true, unless `wait`.
std::vector<bool> apply(const py::list& weights, const py::list& masks, const std::optional<py::list>& out,
                        const std::optional<py::list>& otherwise, bool wait, int threads) {
  check_length("masks", masks.size(), weights.size());
  if (out) check_length("out", out->size(), weights.size());
  if (otherwise) check_length("otherwise", otherwise->size(), weights.size());
  Batch<ApplyJob> batch(weights.size() * (1 + out.has_value() + otherwise.has_value()));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const bool in_place = !out || (*out)[i].is_none();
    const Array& array = batch.add(array_of(weights[i], {"weights", i}, in_place ? Access::write : Access::read));
    const auto optional = [&](const std::optional<py::list>& arrays, const char* word, Access access) {
      if (!arrays || (*arrays)[i].is_none()) return TensorView{};
      const Array& companion = batch.add(array_of((*arrays)[i], {word, i}, access));
      check_shape({word, i}, companion.shape, array);
      return companion.view;
    };
    batch.jobs.push_back({.weights = array.view,
                          .out = optional(out, "out", Access::write),
                          .otherwise = optional(otherwise, "otherwise", Access::read),
                          .mask = view_of(masks[i].cast<const Mask*>(), array, {"masks", i})});
  }
  std::vector<bool> changed(weights.size(), true);
  if (!wait && !batch.jobs.empty() && batch.arrays.front().view.device.kind != Device::Kind::cpu) {
    batch.start(apply_masks, threads);
    return changed;
  }
  const std::vector<Result> results = batch.run(apply_masks, threads);
  for (std::size_t i = 0; i < results.size(); ++i) changed[i] = results[i].changed;
  return changed;
}

void pack(const py::object& weights, const Mask& mask, const py::object& values, int threads) {
  Batch<PackJob> batch(2);
  const Array& dense = batch.add(array_of(weights, {"weights"}, Access::read));
  const TensorView packed = batch.add(array_of(values, {"values"}, Access::write)).view;
  batch.jobs.push_back({dense.view, packed, view_of(&mask, dense, {"mask"})});
  batch.run(pack_weights, threads);
}

void unpack(const py::object& values, const Mask& mask, const py::object& out, int threads) {
  Batch<PackJob> batch(2);
  const Array& dense = batch.add(array_of(out, {"out"}, Access::write));
  const TensorView packed = batch.add(array_of(values, {"values"}, Access::read)).view;
  batch.jobs.push_back({dense.view, packed, view_of(&mask, dense, {"mask"})});
  batch.run(unpack_weights, threads);
}

std::vector<std::int64_t> zeros_of(const py::list& weights, int threads) {
  Batch<TensorView> batch(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    batch.jobs.push_back(batch.add(array_of(weights[i], {"weights", i}, Access::read)).view);
  std::vector<std::int64_t> zeros;
  for (const Result& result : batch.run(count_zeros, threads)) zeros.push_back(result.zeros);
  return zeros;
}

void trim_memory() {
#ifdef __GLIBC__
  py::gil_scoped_release nogil;
  malloc_trim(0);
#endif
}

}  // namespace

void bind_ops(py::module_& module) {
  py::class_<Result>(module, "Result", "What a rebuild asked for and reached, for one tensor.")
      .def_readonly("need", &Result::need)
      .def_readonly("zeros", &Result::zeros)
      .def_readonly("level", &Result::level)
      .def_readonly("limit", &Result::limit)
      .def_readonly("tied", &Result::tied)
      .def_readonly("changed", &Result::changed);
  module.def("build_masks", &build, py::arg("weights"), py::arg("masks"), py::arg("old"), py::kw_only(),
             py::arg("filler"), py::arg("threshold"), py::arg("delta"), py::arg("seed"), py::arg("apply"),
             py::arg("ties") = "prune", py::arg("threads") = 0);
  module.def("apply_masks", &apply, py::arg("weights"), py::arg("masks"), py::arg("out") = py::none(),
             py::arg("otherwise") = py::none(), py::kw_only(), py::arg("wait") = false, py::arg("threads") = 0);
  module.def("pack_weights", &pack, py::arg("weights"), py::arg("mask"), py::arg("values"), py::arg("threads") = 0);
  module.def("unpack_weights", &unpack, py::arg("values"), py::arg("mask"), py::arg("out"), py::arg("threads") = 0);
  module.def("count_zeros", &zeros_of, py::arg("weights"), py::arg("threads") = 0);
  module.def(
      "check_array",
      [](const py::object& array, const std::string& what, bool write) {
        return shape_tuple(array_of(array, {what.c_str()}, write ? Access::write : Access::read).shape);
      },
      py::arg("array"), py::arg("what"), py::kw_only(), py::arg("write"), "Shape of an array that operations accept.");
  module.def("trim_memory", &trim_memory, "Gives freed pages back to the system, where the C library can.");
  module.def("need", &need, py::arg("size"), py::arg("threshold"));
  module.def("derive_seed", &derive_seed, py::arg("seed"), py::arg("name"));
}

}  // namespace prunecell::python
