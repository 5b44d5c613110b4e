#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/level_search.hpp>
#include <prunecell/mask.hpp>
#include <prunecell/schedule.hpp>

#include <pybind11/stl.h>

namespace prunecell::python {
namespace {

using Counters = py::array_t<std::int64_t, py::array::c_style>;

Counters count(const LevelSearch& search, const py::object& weights, const Mask* old, int threads) {
  const Array array = array_of(weights, {"weights"}, Access::read);
  Counters counters(std::int64_t(LevelSearch::counter_count));
  std::fill_n(counters.mutable_data(), counters.size(), 0);
  LevelJob job{&search, array.view, old ? old->view() : MaskView{}, counters.mutable_data()};
  const Context context = context_of({&array, 1}, threads);
  py::gil_scoped_release nogil;
  count_levels(context, {&job, 1});
  return counters;
}

}  // namespace

void bind_level_search(py::module_& module) {
  py::class_<LevelSearch>(module, "LevelSearch",
                          "Threshold search of IterNonStruct over weights that are split in any way.")
      .def(py::init([](std::int64_t size, double threshold, double delta) {
             validate({.threshold = threshold, .delta = delta});  // says what was given, not what it rounds to
             return LevelSearch(size, to_float32(threshold), to_float32(delta));
           }),
           py::arg("size"), py::arg("threshold"), py::arg("delta"))
      .def_property_readonly("done", &LevelSearch::done)
      .def_property_readonly("rounds", &LevelSearch::rounds)
      .def_property_readonly("need", &LevelSearch::need)
      .def_property_readonly("level", &LevelSearch::level)
      .def_property_readonly("limit", &LevelSearch::limit)
      .def("count", &count, py::arg("weights"), py::arg("old") = py::none(), py::kw_only(), py::arg("threads") = 0)
      .def(
          "advance",
          [](LevelSearch& search, const Counters& totals) {
            search.advance({totals.data(), std::size_t(totals.size())});
          },
          py::arg("totals"))
      .def_property_readonly_static("counter_count", [](const py::object&) { return LevelSearch::counter_count; })
      .def_property_readonly_static("max_rounds", [](const py::object&) { return LevelSearch::max_rounds; });
}

}  // namespace prunecell::python
