#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/level_search.hpp>
#include <prunecell/mask.hpp>
#include <prunecell/schedule.hpp>

#include <pybind11/stl.h>

#include <algorithm>
#include <string>

namespace prunecell::python {
namespace {

using Counters = py::array_t<std::int64_t, py::array::c_style>;

Counters count(const LevelSearch& given, const py::object& weights, const Mask* old, int threads) {
  const Array array = array_of(weights, {"weights"}, Access::read);
  Counters counters(std::int64_t(LevelSearch::counter_count));
  std::fill_n(counters.mutable_data(), counters.size(), 0);
  const LevelSearch search = given;  // another thread may advance it meanwhile
  LevelJob job{&search, array.view, old ? old->view() : MaskView{}, counters.mutable_data()};
  const Context context = context_of({&array, 1}, threads);
  py::gil_scoped_release nogil;
  count_levels(context, {&job, 1});
  return counters;
}

void advance(LevelSearch& search, const py::object& totals) {
  const py::array given = py::array::ensure(totals);  // first: a list of floats would be cut to integers
  if (given)
    if (const auto counters = Counters::ensure(given))
      return search.advance({counters.data(), std::size_t(counters.size())});
  throw InvalidType("totals: expected an array of int64, got " + std::string(py::str(py::type::of(totals))));
}

constexpr int pickle_format = 1;

py::object state_of(const LevelSearch& search) {  // as resumed takes it: pybind11 2 asks for one type
  const LevelSearchState s = search.save();
  return py::make_tuple(pickle_format, s.size, s.threshold, s.delta, s.rounds, s.first_key, s.below, s.inside);
}

LevelSearch resumed(const py::object& given) {
  try {
    const auto state = given.cast<py::tuple>();
    if (state.size() == 8 && state[0].cast<int>() == pickle_format)
      return LevelSearch::resume({.size = state[1].cast<std::int64_t>(),
                                  .threshold = state[2].cast<float>(),
                                  .delta = state[3].cast<float>(),
                                  .rounds = state[4].cast<int>(),
                                  .first_key = state[5].cast<std::uint32_t>(),
                                  .below = state[6].cast<std::int64_t>(),
                                  .inside = state[7].cast<std::int64_t>()});
  } catch (const py::cast_error&) {
  } catch (const py::error_already_set&) {
  }
  throw InvalidArgument("LevelSearch state: expected what pickling one gave, got something else");
}

const char* const doc = R"(Threshold search of IterNonStruct over weights that are split in any way.

For a tensor that is split over ranks, or one threshold over several tensors: every participant
holds an equal search and counts its own weights, the sums of all counters go back to every search.

    search = LevelSearch(total_size, threshold, delta)
    while not search.done:
        search.advance(all_reduce_sum(search.count(my_weights)))
    pruned = abs(my_weights) <= search.limit

It can be pickled between rounds, and continues bit for bit.

Args:
    size: Weights of all participants together, >= 0.
    threshold: Share to prune, 0 to 1.
    delta: Grid step, in units of the weights, finite and > 0 as float32.

Raises:
    InvalidArgument: A value out of range.)";

const char* const count_doc = R"(Counts this participant's weights.

Args:
    weights: Array of float16, bfloat16, float32 or float64, of any shape; see `prunecell.ops`.
    old: Mask of as many weights; what it prunes counts as 0. None: there is none.
    threads: At most so many; 0: as many as the machine offers.

Returns:
    int64[counter_count], to be added to what the others count.

Raises:
    InvalidType: Another type than an array of these.
    InvalidArgument: Memory that is not dense; a mask of another size; threads < 0.
    WrongState: The search is done.)";

const char* const advance_doc =
    R"(Takes the sums of all participants' counters; the next round is narrower, or there is none.

Args:
    totals: int64[counter_count], the sums over all weights.

Raises:
    InvalidType: No array of integers.
    InvalidArgument: Another number of counters, or sums that do not fit the size; nothing changes.
    UnreachableThreshold: No level prunes as many weights as the threshold asks for.
    WrongState: The search is done.)";

}  // namespace

void bind_level_search(py::module_& module) {
  py::class_<LevelSearch>(module, "LevelSearch", doc)
      .def(py::init([](std::int64_t size, double threshold, double delta) {
             validate({.threshold = threshold, .delta = delta});  // says what was given, not what it rounds to
             return LevelSearch(size, to_float32(threshold), to_float32(delta));
           }),
           py::arg("size"), py::arg("threshold"), py::arg("delta"))
      .def_property_readonly("done", &LevelSearch::done, "Whether the level is found.")
      .def_property_readonly("rounds", &LevelSearch::rounds, "Rounds so far, 0 to max_rounds.")
      .def_property_readonly("need", &LevelSearch::need, "Weights to prune: what threshold and size come to.")
      .def_property_readonly("level", &LevelSearch::level, "The level k found, >= 0. Raises WrongState until done.")
      .def_property_readonly("limit", &LevelSearch::limit,
                             "Weights w with |w| <= limit, a float32 value, are pruned. Raises WrongState until done.")
      .def("count", &count, py::arg("weights"), py::arg("old") = py::none(), py::kw_only(), py::arg("threads") = 0,
           count_doc)
      .def("advance", &advance, py::arg("totals"), advance_doc)
      .def_property_readonly_static(
          "counter_count", [](const py::object&) { return LevelSearch::counter_count; }, "Counters of a round.")
      .def_property_readonly_static(
          "max_rounds", [](const py::object&) { return LevelSearch::max_rounds; }, "More are never needed.")
      .def(py::pickle(&state_of, &resumed));
}

}  // namespace prunecell::python
