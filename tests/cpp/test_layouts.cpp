// Tensors whose elements lie in another order than the bits of their masks.
#include "axis.hpp"
#include "checks.hpp"

#include <prunecell/level_search.hpp>

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace {

using namespace prunecell;
using checks::build;
using checks::magnitude;
using reference::Weights;

/// Offset in memory of a row-major logical index of a channels-last tensor (N, C, positions).
std::int64_t offset_of(std::int64_t index, Layout layout) {
  const std::int64_t image = index / (layout.channels * layout.positions);
  const std::int64_t channel = index / layout.positions % layout.channels, position = index % layout.positions;
  return (image * layout.positions + position) * layout.channels + channel;
}

Weights in_layout(const Weights& logical, Layout layout) {
  Weights out(logical.dtype(), logical.size());
  for (std::int64_t i = 0; i < logical.size(); ++i) out.set_bits(offset_of(i, layout), logical.bits(i));
  return out;
}

TEST_CASE("masks follow the logical index whatever the layout in memory") {
  for (const DType dtype : reference::dtypes)
    for (const auto& shape : {std::pair{Layout{3, 49}, 64}, std::pair{Layout{64, 9}, 33}, std::pair{Layout{70, 33}, 1},
                              std::pair{Layout{40, 4}, 21}, std::pair{Layout{2, 129}, 3}, std::pair{Layout{1, 9}, 5},
                              std::pair{Layout{5, 1}, 9}}) {
      const Layout layout = shape.first;
      const std::int64_t images = shape.second;
      CAPTURE(name(dtype));
      CAPTURE(layout.channels);
      const std::int64_t size = layout.channels * layout.positions * images;
      Weights logical = reference::ties(dtype, size), memory = in_layout(logical, layout);
      const Mask old = reference::random_mask(size);
      for (const Rule& rule : {magnitude(0.4f, 0.01f), Rule(Random{.threshold = 0.4f})}) {
        Mask expected({size}), found({size});
        build(logical, expected, rule, &old);
        build(memory, found, rule, &old, layout);
        REQUIRE(reference::bits_of(found) == reference::bits_of(expected));
      }
      // In place, into a buffer of the same layout, and into a row-major one.
      Mask mask({size});
      build(logical, mask, magnitude(0.4f, 0.01f));
      Weights alike(dtype, size), rows(dtype, size), other = in_layout(reference::any_bits(dtype, size), layout);
      const ApplyJob jobs[] = {{.weights = memory.view(layout), .out = alike.view(layout), .mask = mask.view()},
                               {.weights = memory.view(layout), .out = rows.view(), .mask = mask.view()}};
      Result results[2];
      axis::apply_masks({}, jobs, results);
      for (std::int64_t i = 0; i < size; ++i) {
        const std::uint64_t expected = mask.kept(i) ? logical.bits(i) : 0;
        REQUIRE(alike.bits(offset_of(i, layout)) == expected);
        REQUIRE(rows.bits(i) == expected);
      }
      const ApplyJob otherwise{.weights = memory.view(layout), .otherwise = other.view(layout), .mask = mask.view()};
      axis::apply_masks({}, {&otherwise, 1}, {results, 1});
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t at = offset_of(i, layout);
        REQUIRE(memory.bits(at) == (mask.kept(i) ? logical.bits(i) : other.bits(at)));
      }
      Weights fused = in_layout(logical, layout);
      const RebuildJob rebuild{.weights = fused.view(layout), .mask = mask.view(), .rule = magnitude(0.4f, 0.01f)};
      axis::rebuild_and_apply({}, {&rebuild, 1}, {results, 1});
      for (std::int64_t i = 0; i < size; ++i)
        REQUIRE(fused.bits(offset_of(i, layout)) == (mask.kept(i) ? logical.bits(i) : 0));
      // Packed values lie in logical order.
      Weights values(dtype, size - mask.zeros()), unpacked(dtype, size);
      const PackJob pack{.dense = fused.view(layout), .values = values.view(), .mask = mask.view()};
      axis::pack_weights({}, {&pack, 1}, {results, 1});
      std::int64_t found = 0;
      for (std::int64_t i = 0; i < size; ++i)
        if (mask.kept(i)) REQUIRE(values.bits(found++) == logical.bits(i));
      const PackJob unpack{.dense = unpacked.view(layout), .values = values.view(), .mask = mask.view()};
      axis::unpack_weights({}, {&unpack, 1}, {results, 1});
      REQUIRE(unpacked.bytes() == fused.bytes());
    }
}

TEST_CASE("counters of a distributed search follow the mask in force by its logical index") {
  for (const Layout layout : {Layout{64, 9}, Layout{70, 33}}) {
    const std::int64_t size = 3 * layout.channels * layout.positions;
    Weights rows = reference::ties(DType::float32, size), scattered = in_layout(rows, layout);
    const Mask old = reference::random_mask(size);
    const LevelSearch search(size, 0.6f, 0.01f);
    std::vector<std::int64_t> expected(LevelSearch::counter_count), found(LevelSearch::counter_count);
    const LevelJob jobs[] = {
        {.search = &search, .weights = rows.view(), .old = old.view(), .counters = expected.data()},
        {.search = &search, .weights = scattered.view(layout), .old = old.view(), .counters = found.data()}};
    axis::count_levels({}, jobs);
    CHECK(found == expected);
  }
}

TEST_SUITE_BEGIN("large");

TEST_CASE("large images, many images and transposed matrices, with any number of threads, also among other tensors") {
  // Where images are cut in the middle, where they take other than whole words, and rows of 16 and 17 bits.
  const std::pair<Layout, std::int64_t> shapes[] = {{{512, 9}, 70},  {{60001, 9}, 2}, {{16, 5000}, 3}, {{17, 5000}, 3},
                                                    {{301, 467}, 1}, {{467, 301}, 3}, {{3, 25}, 2111}, {{64, 4096}, 1}};
  for (const auto& shape : shapes) {
    const Layout layout = shape.first;
    const std::int64_t images = shape.second;
    CAPTURE(layout.channels);
    CAPTURE(layout.positions);
    const std::int64_t size = layout.channels * layout.positions * images;
    Weights rows = reference::ties(DType::float32, size), scattered = in_layout(rows, layout);
    const Mask old = reference::random_mask(size);
    for (const int threads : {1, 3})
      for (const Mask* before : {static_cast<const Mask*>(nullptr), &old}) {
        Mask expected({size}), found({size});
        const Result one = build(rows, expected, magnitude(0.7f, 1e-3f), before);
        const Result other = build(scattered, found, magnitude(0.7f, 1e-3f), before, layout, threads);
        REQUIRE(other.zeros == one.zeros);
        REQUIRE(other.level == one.level);
        REQUIRE(reference::bits_of(found) == reference::bits_of(expected));
      }

    // Fused, with a row-major tensor and a random mask beside it.
    Weights weights[] = {in_layout(rows, layout), rows, in_layout(rows, layout)};
    const Mask masks[] = {Mask({size}), Mask({size}), Mask({size})};
    const Rule random = Random{.threshold = 0.3f};
    const RebuildJob jobs[] = {
        {.weights = weights[0].view(layout), .mask = masks[0].view(), .rule = magnitude(0.7f, 1e-3f)},
        {.weights = weights[1].view(), .mask = masks[1].view(), .rule = magnitude(0.7f, 1e-3f)},
        {.weights = weights[2].view(layout), .mask = masks[2].view(), .mask_is_new = true, .rule = random}};
    Result results[3];
    axis::rebuild_and_apply({.threads = 2}, jobs, results);
    CHECK(reference::bits_of(masks[0]) == reference::bits_of(masks[1]));
    for (int t = 0; t < 3; ++t) {
      const Layout of_tensor = t == 1 ? Layout{} : layout;
      CHECK(results[t].zeros == masks[t].zeros());
      CHECK(results[t].changed);
      std::int64_t wrong = 0;
      for (std::int64_t i = 0; i < size; ++i)
        wrong += weights[t].bits(offset_of(i, of_tensor)) != (masks[t].kept(i) ? rows.bits(i) : 0);
      CHECK(wrong == 0);
    }
    std::vector<ApplyJob> again;
    for (const RebuildJob& job : jobs) again.push_back({.weights = job.weights, .mask = job.mask});
    axis::apply_masks({.threads = 2}, again, results);
    for (int t = 0; t < 3; ++t) {
      CHECK_FALSE(results[t].changed);
      CHECK(results[t].zeros == masks[t].zeros());
    }
    std::int64_t zeros = 0;
    for (std::int64_t i = 0; i < size; ++i) zeros += weights[0].value(i) == 0;
    axis::count_zeros({}, {&jobs[0].weights, 1}, {results, 1});
    CHECK(results[0].zeros == zeros);
  }
}

TEST_SUITE_END();

}  // namespace
