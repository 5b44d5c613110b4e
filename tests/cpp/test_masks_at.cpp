// Masks from limits: what a search ends with makes the same mask again, whole or in parts.
#include "checks.hpp"

#include "semantics/semantics.hpp"

#include <prunecell/error.hpp>
#include <prunecell/level_search.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace {

using namespace prunecell;
using checks::magnitude;
using reference::Weights;

const Rule rules[] = {magnitude(0.6f, 0.01f),
                      magnitude(0.0f, 0.01f),
                      magnitude(0.9f, 1e-7f),
                      Random{.threshold = 0.4f, .seed = 7, .tensor = 2, .rise = 3},
                      Random{.threshold = 1},
                      Random{.threshold = 0},
                      None{}};

TEST_CASE("the limit of a rebuild makes the same mask again, applied or not") {
  const Layout layouts[] = {{}, {70, 3}};
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : {0, 1, 210, 21000})
      for (const Layout& layout : layouts)
        for (const Rule& rule : rules)
          for (const bool with_old : {false, true})
            for (const bool apply : {false, true}) {
              if (size % (layout.channels * layout.positions)) continue;
              Weights weights = reference::ties(dtype, size), again = weights;
              const Mask old = reference::random_mask(size);
              Mask mask({size}), mask_again = old;
              RebuildJob job{.weights = weights.view(layout),
                             .mask = mask.view(),
                             .old = with_old ? old.view() : MaskView{},
                             .rule = rule};
              Result result, result_again;
              (apply ? axis::rebuild_and_apply : axis::build_masks)({}, {&job, 1}, {&result, 1});
              job.weights = again.view(layout);
              job.mask = mask_again.view();
              if (with_old) job.old = mask_again.view();  // in place
              axis::masks_at({}, {&job, 1}, {&result.ends_at, 1}, {&result_again, 1}, apply);
              REQUIRE(reference::bits_of(mask_again) == reference::bits_of(mask));
              REQUIRE(result_again.zeros == result.zeros);
              REQUIRE(result_again.changed == result.changed);
              REQUIRE(again.bytes() == weights.bytes());
              REQUIRE(reference::tail_is_clear(mask_again));
            }
}

TEST_CASE("weights at the limit go up to the index where ties end") {
  constexpr std::int64_t size = 3 * 4096 + 77;
  for (const DType dtype : reference::dtypes) {
    Weights weights(dtype, size);
    for (std::int64_t i = 0; i < size; ++i) weights.set(i, i % 3 == 0 ? 0.25 : i % 3 == 1 ? -0.5 : 1);
    const Mask old = reference::random_mask(size);
    for (const bool with_old : {false, true})
      for (const std::int64_t tie_end : {std::int64_t(0), std::int64_t(1), std::int64_t(4100), size - 1, size}) {
        Mask mask({size});
        const RebuildJob job{.weights = weights.view(),
                             .mask = mask.view(),
                             .old = with_old ? old.view() : MaskView{},
                             .mask_is_new = true,
                             .rule = magnitude(0.5f, 0.1f)};
        const Limit limit{0x3f000000u, tie_end};  // 0.5
        Result result;
        axis::masks_at({}, {&job, 1}, {&limit, 1}, {&result, 1});
        for (std::int64_t i = 0; i < size; ++i)
          REQUIRE(mask.kept(i) == ((i % 3 == 2 || (i % 3 == 1 && i >= tie_end)) && (!with_old || old.kept(i))));
        CHECK(result.zeros == mask.zeros());
        CHECK(result.limit == 0.5f);
      }
  }
}

TEST_CASE("the limit of Random says which of two equal numbers goes") {
  constexpr std::int64_t size = 400'000;
  std::vector<std::pair<std::uint32_t, std::int64_t>> order;
  for (std::int64_t i = 0; i < size; ++i)
    order.emplace_back(semantics::philox(std::uint64_t(i) / 4, 0, 0, 1).word[i % 4], i);
  std::ranges::sort(order);
  const auto twin = std::ranges::adjacent_find(order, [](const auto& a, const auto& b) { return a.first == b.first; });
  REQUIRE(twin != order.end());
  const std::int64_t need = twin - order.begin() + 1;  // the first of the two goes, the second stays
  Weights weights(DType::float16, size);
  const Mask mask({size}), again({size});
  RebuildJob job{.weights = weights.view(),
                 .mask = mask.view(),
                 .rule = Random{.threshold = float(need) / float(size), .seed = 1}};
  Result result, result_again;
  axis::build_masks({}, {&job, 1}, {&result, 1});
  CHECK(result.ends_at == Limit{twin[0].first, twin[1].second});
  job.mask = again.view();
  axis::masks_at({}, {&job, 1}, {&result.ends_at, 1}, {&result_again, 1});
  CHECK(result_again.zeros == need);
  CHECK(again.saved() == mask.saved());
}

TEST_CASE("tensors that share one search share its limit") {
  const std::int64_t sizes[] = {700, 4096, 33};
  const DType dtypes[] = {DType::float32, DType::float32, DType::float64};
  std::vector<Weights> parts;
  Weights whole(DType::float64, 700 + 4096 + 33);
  std::int64_t at = 0;
  for (int p = 0; p < 3; ++p) {
    parts.push_back(reference::ties(dtypes[p], sizes[p], std::uint32_t(p)));
    for (std::int64_t i = 0; i < sizes[p]; ++i) whole.set(at++, parts.back().value(i));
  }
  LevelSearch search(whole.size(), 0.7f, 0.003f);
  while (!search.done()) {
    std::vector<std::int64_t> counters(LevelSearch::counter_count);
    std::vector<LevelJob> jobs;
    for (Weights& part : parts)
      jobs.push_back({.search = &search, .weights = part.view(), .counters = counters.data()});
    axis::count_levels({}, jobs);
    search.advance(counters);
  }
  const reference::Decision expected = reference::iter_nonstruct(whole, 0.7f, 0.003f);
  CHECK(search.level() == expected.level);
  std::vector<Mask> masks;
  std::vector<RebuildJob> jobs;
  for (Weights& part : parts) {
    masks.emplace_back(Shape{part.size()});
    jobs.push_back({.weights = part.view(), .mask = masks.back().view(), .rule = magnitude(0.7f, 0.003f)});
  }
  const std::vector<Limit> limits(3, search.ends_at());
  Result results[3];
  axis::masks_at({}, jobs, limits, results);
  at = 0;
  for (const Mask& mask : masks)
    for (std::int64_t i = 0; i < mask.size(); ++i) REQUIRE(mask.kept(i) == expected.kept[std::size_t(at++)]);
}

TEST_CASE("limits that no search ends with are refused by name") {
  Weights weights = reference::ties(DType::float32, 10);
  Mask mask({10});
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude(0.5f, 0.1f)};
  const Limit nan{.key = 0x7fc00000u}, negative{.key = 1, .tie_end = -1};
  CHECK_THROWS_WITH_AS(axis::masks_at({}, {&job, 1}, {&nan, 1}, {}),
                       "tensor 0: limit.key: expected the bits of a float32 up to Inf, got 2143289344",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(axis::masks_at({}, {&job, 1}, {&negative, 1}, {}),
                       "tensor 0: limit.tie_end: expected 0 or more, got -1", InvalidArgument);
  CHECK_THROWS_WITH_AS(axis::masks_at({}, {&job, 1}, {}, {}), "limits: expected 1 entries, one per job, got 0",
                       InvalidArgument);
}

}  // namespace
