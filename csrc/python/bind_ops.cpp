#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>
#include <prunecell/schedule.hpp>

#include <pybind11/stl.h>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <string>
#include <utility>
#include <vector>

namespace prunecell::python {
namespace {

using Operation = void (*)(const Context&, std::span<const Job>, std::span<Result>);

/// Jobs with the arrays they view.
struct Batch {
  std::vector<Array> arrays;
  std::vector<Job> jobs;

  std::vector<Result> run(Operation operation, int threads) const {
    std::vector<Result> results(jobs.size());
    py::gil_scoped_release nogil;
    operation({.threads = threads}, jobs, results);
    return results;
  }
};

std::string numbered(const char* what, std::size_t index) {
  return std::string(what) + "[" + std::to_string(index) + "]";
}

void check_length(const char* what, std::size_t length, std::size_t expected) {
  if (length != expected)
    throw InvalidArgument(std::string(what) + ": expected " + std::to_string(expected) +
                          " entries, one per array, got " + std::to_string(length));
}

MaskView view_of(const Mask* mask, const Shape& shape, const std::string& what) {
  if (!mask) throw InvalidType(what + ": expected a Mask, got None");
  if (mask->shape() != shape)
    throw InvalidArgument(what + ": expected the shape of the weights " +
                          std::string(py::str(py::tuple(py::cast(shape)))) + ", got " +
                          std::string(py::str(py::tuple(py::cast(mask->shape())))));
  return mask->view();
}

std::vector<Result> build(const py::list& weights, const std::vector<Mask*>& masks, const std::vector<const Mask*>& old,
                          const std::string& filler, double threshold, double delta, std::uint64_t seed, bool apply,
                          int threads) {
  check_length("masks", masks.size(), weights.size());
  check_length("old", old.size(), weights.size());
  Parameters given{.filler = parse_filler(filler), .threshold = threshold, .delta = delta};
  validate(given);
  Batch batch;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Array& array =
        batch.arrays.emplace_back(array_of(weights[i], numbered("weights", i), apply ? Access::write : Access::read));
    Job job{.weights = array.view,
            .mask = view_of(masks[i], array.shape, numbered("masks", i)),
            .rule = {given.filler, to_float32(threshold), to_float32(delta), seed, std::uint32_t(i), 0}};
    if (old[i]) job.old = view_of(old[i], array.shape, numbered("old", i));
    batch.jobs.push_back(job);
  }
  return batch.run(apply ? rebuild_and_apply : build_masks, threads);
}

std::vector<Result> apply(const py::list& weights, const std::vector<const Mask*>& masks, const py::list& out,
                          const py::list& otherwise, int threads) {
  check_length("masks", masks.size(), weights.size());
  check_length("out", out.size(), weights.size());
  check_length("otherwise", otherwise.size(), weights.size());
  Batch batch;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const bool in_place = out[i].is_none();
    const Array& array = batch.arrays.emplace_back(
        array_of(weights[i], numbered("weights", i), in_place ? Access::write : Access::read));
    Job job{.weights = array.view, .mask = view_of(masks[i], array.shape, numbered("masks", i))};
    job.out = batch.arrays.emplace_back(optional_array_of(out[i], numbered("out", i), Access::write)).view;
    job.otherwise =
        batch.arrays.emplace_back(optional_array_of(otherwise[i], numbered("otherwise", i), Access::read)).view;
    batch.jobs.push_back(job);
  }
  return batch.run(apply_masks, threads);
}

void pack(const py::object& weights, const Mask& mask, const py::object& values, int threads) {
  Batch batch;
  const Array& dense = batch.arrays.emplace_back(array_of(weights, "weights", Access::read));
  Job job{.weights = dense.view, .mask = view_of(&mask, dense.shape, "mask")};
  job.out = batch.arrays.emplace_back(array_of(values, "values", Access::write)).view;
  batch.jobs.push_back(job);
  batch.run(pack_weights, threads);
}

void unpack(const py::object& values, const Mask& mask, const py::object& out, int threads) {
  Batch batch;
  const Array& dense = batch.arrays.emplace_back(array_of(out, "out", Access::write));
  Job job{.out = dense.view, .mask = view_of(&mask, dense.shape, "mask")};
  job.weights = batch.arrays.emplace_back(array_of(values, "values", Access::read)).view;
  batch.jobs.push_back(job);
  batch.run(unpack_weights, threads);
}

std::vector<std::int64_t> zeros_of(const py::list& weights, int threads) {
  Batch batch;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Array& array = batch.arrays.emplace_back(array_of(weights[i], numbered("weights", i), Access::read));
    batch.jobs.push_back({.weights = array.view});
  }
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
      .def_readonly("changed", &Result::changed);
  module.def("build_masks", &build, py::arg("weights"), py::arg("masks"), py::arg("old"), py::kw_only(),
             py::arg("filler"), py::arg("threshold"), py::arg("delta"), py::arg("seed"), py::arg("apply"),
             py::arg("threads") = 0);
  module.def("apply_masks", &apply, py::arg("weights"), py::arg("masks"), py::arg("out"), py::arg("otherwise"),
             py::arg("threads") = 0);
  module.def("pack_weights", &pack, py::arg("weights"), py::arg("mask"), py::arg("values"), py::arg("threads") = 0);
  module.def("unpack_weights", &unpack, py::arg("values"), py::arg("mask"), py::arg("out"), py::arg("threads") = 0);
  module.def("count_zeros", &zeros_of, py::arg("weights"), py::arg("threads") = 0);
  module.def(
      "check_array",
      [](const py::object& array, const std::string& what, bool write) {
        return py::tuple(py::cast(array_of(array, what, write ? Access::write : Access::read).shape));
      },
      py::arg("array"), py::arg("what"), py::kw_only(), py::arg("write"), "Shape of an array that operations accept.");
  module.def("trim_memory", &trim_memory, "Gives freed pages back to the system, where the C library can.");
  module.def("need", &need, py::arg("size"), py::arg("threshold"));
  module.def("derive_seed", &derive_seed, py::arg("seed"), py::arg("name"));
}

}  // namespace prunecell::python
