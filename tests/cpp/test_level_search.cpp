#include "axis.hpp"
#include "reference.hpp"

#include <prunecell/error.hpp>
#include <prunecell/level_search.hpp>

#include <doctest/doctest.h>

namespace {

using namespace prunecell;
using reference::Weights;

/// The level of weights in `parts` pieces, each counted by a participant of its own.
LevelSearch search_in_parts(Weights& weights, std::int64_t parts, float threshold, float delta, int threads = 1) {
  std::vector<LevelSearch> searches(std::size_t(parts), LevelSearch(weights.size(), threshold, delta));
  const TensorView whole = weights.view();
  const std::int64_t item = std::int64_t(item_size(whole.dtype));
  while (!searches.front().done()) {
    std::vector<std::int64_t> totals(LevelSearch::counter_count);
    for (std::int64_t p = 0; p < parts; ++p) {
      const std::int64_t begin = weights.size() * p / parts, end = weights.size() * (p + 1) / parts;
      TensorView piece = whole;
      piece.data = static_cast<std::byte*>(whole.data) + begin * item;
      piece.size = end - begin;
      std::vector<std::int64_t> counters(LevelSearch::counter_count);
      const LevelJob job{.search = &searches[std::size_t(p)], .weights = piece, .counters = counters.data()};
      axis::count_levels({.threads = threads}, {&job, 1});
      for (std::size_t c = 0; c < totals.size(); ++c) totals[c] += counters[c];
    }
    for (LevelSearch& search : searches) search.advance(totals);
  }
  for (const LevelSearch& search : searches) REQUIRE(search.level() == searches.front().level());
  return searches.front();
}

TEST_CASE("any split gives the level of the whole within the bound on rounds") {
  for (const DType dtype : reference::dtypes)
    for (const float delta : {0.01f, 1e-7f, 7e-45f, 1e28f})
      for (const float threshold : {0.0f, 0.1f, 0.6f}) {
        for (Weights weights : {reference::ties(dtype, 4099), reference::any_bits(dtype, 4099)}) {
          const reference::Decision expected = reference::iter_nonstruct(weights, threshold, delta);
          if (!expected.reachable) {
            REQUIRE_THROWS_AS(search_in_parts(weights, 3, threshold, delta), UnreachableThreshold);
            continue;
          }
          for (const std::int64_t parts : {1, 2, 3, 7}) {
            const LevelSearch found = search_in_parts(weights, parts, threshold, delta);
            REQUIRE(found.level() == expected.level);
            REQUIRE(found.limit() == reference::limit(delta, expected.level));
            REQUIRE(found.rounds() <= LevelSearch::max_rounds);
          }
        }
      }
}

TEST_CASE("any number of threads counts the same") {
  Weights weights = reference::ties(DType::float32, 300007);
  const LevelSearch search(weights.size(), 0.4f, 0.01f);
  std::vector<std::int64_t> first(LevelSearch::counter_count), second(LevelSearch::counter_count);
  const LevelJob one{.search = &search, .weights = weights.view(), .counters = first.data()};
  const LevelJob many{.search = &search, .weights = weights.view(), .counters = second.data()};
  axis::count_levels({.threads = 1}, {&one, 1});
  axis::count_levels({.threads = 7}, {&many, 1});
  CHECK(first == second);
}

TEST_CASE("counters are added to, jobs may share them, an old mask counts as zeros") {
  Weights weights = reference::ties(DType::float16, 3000);
  const Mask old = reference::random_mask(3000);
  LevelSearch search(6000, 0.5f, 0.01f);
  while (!search.done()) {
    std::vector<std::int64_t> counters(LevelSearch::counter_count);
    const LevelJob job{.search = &search, .weights = weights.view(), .old = old.view(), .counters = counters.data()};
    const LevelJob jobs[] = {job, job};
    axis::count_levels({}, jobs);
    search.advance(counters);
  }
  CHECK(search.level() == reference::iter_nonstruct(weights, 0.5f, 0.01f, &old).level);
}

TEST_CASE("what is out of reach is told apart") {
  Weights weights(DType::float64, 6);
  const double values[] = {0.0, 1.0, 2.0, double(INFINITY), double(NAN), double(NAN)};
  for (std::int64_t i = 0; i < 6; ++i) weights.set(i, values[i]);
  CHECK_THROWS_WITH_AS(
      search_in_parts(weights, 2, 0.5f, 1e-21f),
      "LevelSearch: threshold 0.5 asks for 3 of 6 weights, but only 1 lie within any multiple of delta "
      "1e-21; out of reach are 2 NaN, 1 Inf in float32 and 2 finite weights",
      UnreachableThreshold);
}

TEST_CASE("a search in the wrong state says so") {
  LevelSearch open(10, 0.5f, 0.01f), done(10, 0.0f, 0.01f);
  CHECK_THROWS_AS(open.level(), WrongState);
  CHECK_THROWS_AS(open.limit(), WrongState);
  CHECK(done.done());
  CHECK(done.level() == 0);
  CHECK(done.rounds() == 0);
  std::vector<std::int64_t> counters(LevelSearch::counter_count);
  CHECK_THROWS_AS(done.advance(counters), WrongState);
  Weights weights = reference::ties(DType::float32, 10);
  const LevelJob job{.search = &done, .weights = weights.view(), .counters = counters.data()};
  CHECK_THROWS_AS(axis::count_levels({}, {&job, 1}), WrongState);
}

TEST_CASE("wrong totals and jobs are refused and change nothing") {
  Weights weights = reference::ties(DType::float32, 100);
  LevelSearch search(100, 0.5f, 0.01f);
  std::vector<std::int64_t> counters(LevelSearch::counter_count);
  CHECK_THROWS_AS(search.advance(counters), InvalidArgument);  // the counters of no weights
  const LevelJob job{.search = &search, .weights = weights.view(), .counters = counters.data()};
  axis::count_levels({}, {&job, 1});
  CHECK_THROWS_AS(search.advance(std::span(counters).first(10)), InvalidArgument);
  std::vector<std::int64_t> twice = counters;
  for (std::int64_t& count : twice) count *= 2;
  CHECK_THROWS_AS(search.advance(twice), InvalidArgument);
  std::vector<std::int64_t> negative = counters;
  negative[0] += 1;
  negative[1] -= 1;
  negative[2] = -1;
  CHECK_THROWS_AS(search.advance(negative), InvalidArgument);
  CHECK(search.rounds() == 0);
  search.advance(counters);
  CHECK(search.rounds() == 1);

  LevelJob bad = job;
  bad.search = nullptr;
  CHECK_THROWS_AS(axis::count_levels({}, {&bad, 1}), InvalidArgument);
  bad = job;
  bad.counters = nullptr;
  CHECK_THROWS_AS(axis::count_levels({}, {&bad, 1}), InvalidArgument);
  CHECK_THROWS_AS(LevelSearch(-1, 0.5f, 0.01f), InvalidArgument);
  CHECK_THROWS_AS(LevelSearch(10, 1.5f, 0.01f), InvalidArgument);
  CHECK_THROWS_AS(LevelSearch(10, 0.5f, 0.0f), InvalidArgument);
}

TEST_CASE("sizes beyond 32 bits need no such memory to be searched") {
  // Four participants of 2^40 weights each, all 1; their counters are computed, not counted.
  constexpr std::int64_t size = std::int64_t(1) << 42;
  Weights one(DType::float32, 1);
  one.set(0, 1.0);
  LevelSearch search(size, 0.5f, 0.25f);
  while (!search.done()) {
    std::vector<std::int64_t> counters(LevelSearch::counter_count);
    const LevelJob job{.search = &search, .weights = one.view(), .counters = counters.data()};
    axis::count_levels({}, {&job, 1});
    for (std::int64_t& count : counters) count *= size;
    search.advance(counters);
  }
  CHECK(search.need() == size / 2);
  CHECK(search.level() == 4);
}

}  // namespace
