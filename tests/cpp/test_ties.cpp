// Ties::keep: a tensor that would lose all of its weights though less is asked keeps a mask that it has.
#include "checks.hpp"
#include "schedules.hpp"

#include <prunecell/error.hpp>
#include <prunecell/prune_cell.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace {

using namespace prunecell;
using checks::magnitude;
using reference::Weights;

Weights equal(DType dtype, std::int64_t size, double value) {
  Weights out(dtype, size);
  for (std::int64_t i = 0; i < size; ++i) out.set(i, i % 2 ? -value : value);
  return out;
}

Rule keeping(float threshold, float delta) { return IterNonStruct{threshold, delta, Ties::keep}; }

TEST_CASE("a tensor that would lose all weights gets its fallback") {
  const Layout layouts[] = {{}, {70, 3}};
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : {1, 31, 210, 5 * 210, 21000})
      for (const auto& [value, threshold, delta] :
           {std::tuple{0.0, 0.0f, 0.01f}, {0.0, 0.3f, 0.01f}, {0.5, 0.3f, 0.01f}, {0.5, 0.9f, 10.0f}})
        for (const Layout& layout : layouts)
          for (const bool in_force : {false, true})
            for (const bool is_new : {false, true}) {
              if (size % (layout.channels * layout.positions)) continue;
              Weights weights = equal(dtype, size, value);
              const Weights before = weights;
              const Mask fallback = in_force ? reference::random_mask(size) : Mask({size});
              Mask mask = in_force && !is_new ? fallback : reference::random_mask(size, 8);
              RebuildJob job{.weights = weights.view(layout),
                             .mask = mask.view(),
                             .mask_is_new = is_new,
                             .rule = keeping(threshold, delta)};
              if (in_force) job.fallback = is_new ? fallback.view() : mask.view();
              Result result;
              axis::rebuild_and_apply({}, {&job, 1}, {&result, 1});
              REQUIRE(result.tied);
              REQUIRE(result.level == 0);
              REQUIRE(result.limit == 0);
              REQUIRE(result.zeros == fallback.zeros());
              REQUIRE(result.need == reference::need(size, threshold));
              REQUIRE(reference::bits_of(mask) == reference::bits_of(fallback));
              REQUIRE(reference::tail_is_clear(mask));
              if (!in_force) REQUIRE(weights.bytes() == before.bytes());
              if (!in_force || !layout.row_major()) continue;
              for (std::int64_t i = 0; i < size; ++i)
                REQUIRE(weights.bits(i) == (fallback.kept(i) ? before.bits(i) : 0));
            }
}

TEST_CASE("where a weight is left, or all are asked for, keeping is pruning") {
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : {31, 5000}) {
      const auto check = [&](Weights weights, float threshold) {
        Mask kept({size}), pruned({size});
        const Mask fallback = reference::random_mask(size);
        RebuildJob job{.weights = weights.view(),
                       .mask = kept.view(),
                       .fallback = fallback.view(),
                       .rule = keeping(threshold, 0.01f)};
        Result results[2];
        axis::build_masks({}, {&job, 1}, {results, 1});
        job.mask = pruned.view();
        std::get<IterNonStruct>(job.rule).ties = Ties::prune;
        axis::build_masks({}, {&job, 1}, {results + 1, 1});
        REQUIRE_FALSE(results[0].tied);
        REQUIRE(results[0].level == results[1].level);
        REQUIRE(results[0].zeros == results[1].zeros);
        REQUIRE(reference::bits_of(kept) == reference::bits_of(pruned));
      };
      check(equal(dtype, size, 0.5), 1.0f);
      check(reference::ties(dtype, size), 0.4f);
      Weights one = equal(dtype, size, 0.5);
      one.set(size - 1, 0.75);
      check(one, 0.4f);
      one.set_bits(size - 1, ~std::uint64_t(0));  // NaN
      check(one, 0.4f);
    }
}

TEST_CASE("a fallback that cannot be meant is refused") {
  Weights weights = equal(DType::float32, 40, 0.5);
  const Mask mask({40}), other({39});
  RebuildJob job{.weights = weights.view(), .mask = mask.view(), .fallback = other.view(), .rule = keeping(0.5f, 0.1f)};
  CHECK_THROWS_WITH_AS(axis::build_masks({}, {&job, 1}, {}), "tensor 0: fallback.size: expected 40, got 39",
                       InvalidArgument);
  job.fallback = mask.view();
  job.mask_is_new = true;
  CHECK_THROWS_AS(axis::build_masks({}, {&job, 1}, {}), InvalidArgument);
}

TEST_CASE("a tensor that falls back neither keeps the others nor is saved from their failure") {
  Weights dead = equal(DType::float32, 500, 0), other = reference::ties(DType::float16, 3000), nan(DType::float32, 50);
  for (std::int64_t i = 0; i < 50; ++i) nan.set_bits(i, ~std::uint64_t(0));
  const Weights before = other;
  Mask masks[] = {Mask({500}), Mask({3000}), Mask({50})};
  const RebuildJob jobs[] = {{.weights = dead.view(), .mask = masks[0].view(), .rule = keeping(0.5f, 0.01f)},
                             {.weights = other.view(), .mask = masks[1].view(), .rule = keeping(0.5f, 0.01f)},
                             {.weights = nan.view(), .mask = masks[2].view(), .rule = keeping(0.5f, 0.01f)}};
  Result results[3];
  CHECK_THROWS_AS(axis::rebuild_and_apply({}, jobs, results), UnreachableThreshold);
  CHECK(masks[1].zeros() == 0);
  CHECK(other.bytes() == before.bytes());
  axis::rebuild_and_apply({}, {jobs, 2}, {results, 2});
  CHECK(results[0].tied);
  CHECK_FALSE(results[1].tied);
  CHECK(reference::bits_of(masks[1]) == reference::iter_nonstruct(before, 0.5f, 0.01f).kept);
}

/// A cell of a tensor that ties and one that does not.
struct Pair {
  Weights tied = equal(DType::float32, 400, 0), other = reference::ties(DType::float32, 300);
  Weights pruned[2] = {{DType::float32, 400}, {DType::float32, 300}};
  PruneCell cell;

  explicit Pair(Parameters parameters) : cell((parameters.ties = Ties::keep, parameters)) {
    cell.add_tensor({400});
    cell.add_tensor({300});
    cell.initialize({}, tensors());
  }
  std::vector<CellTensor> tensors() {
    const bool in_place = cell.parameters().in_place;
    return {{.weights = tied.view(), .pruned = in_place ? TensorView{} : pruned[0].view()},
            {.weights = other.view(), .pruned = in_place ? TensorView{} : pruned[1].view()}};
  }
  void update(std::int64_t batch) { cell.update({}, tensors(), batch); }
  std::vector<bool> kept(std::size_t t) const { return reference::bits_of(*cell.mask(t)); }
};

Parameters fixed(bool in_place) {
  return {.mode = Mode::fixed, .filler = Filler::iter_nonstruct, .threshold = 0.5, .delta = 0.01, .in_place = in_place};
}

TEST_CASE("Static tries again at each update until the tensor has its mask, and touches no other mask") {
  for (const bool in_place : {true, false}) {
    Pair run(fixed(in_place));
    CHECK(run.cell.figures(0).tied);
    CHECK(run.cell.figures(0).zeros == 0);
    CHECK(run.cell.figures(0).asked == 0.5f);
    CHECK_FALSE(run.cell.figures(1).tied);
    const std::vector<bool> others = run.kept(1);
    run.other = reference::ties(DType::float32, 300, 9);  // trained
    const Weights trained = run.other;
    CHECK(run.cell.due(1));
    run.update(1);
    CHECK(run.cell.figures(0).tied);
    CHECK(run.kept(1) == others);
    const Weights& written = in_place ? run.other : run.pruned[1];
    for (std::int64_t i = 0; i < 300; ++i)  // enforced, too
      REQUIRE(written.bits(i) == (others[std::size_t(i)] ? trained.bits(i) : 0));

    run.tied = reference::ties(DType::float32, 400, 4);
    const reference::Decision expected = reference::iter_nonstruct(run.tied, 0.5f, 0.01f);
    run.update(1);
    CHECK(run.kept(0) == expected.kept);
    CHECK(run.kept(1) == others);
    CHECK(run.cell.figures(0).level == expected.level);
    CHECK_FALSE(run.cell.figures(0).tied);
    CHECK_FALSE(run.cell.due(1));
    run.tied = reference::ties(DType::float32, 400, 5);
    run.update(1);
    CHECK(run.kept(0) == expected.kept);
  }
}

TEST_CASE("Gradual tries again at each rise, and at its threshold at each update") {
  for (const bool in_place : {true, false}) {
    Pair run(schedules::gradual(in_place));
    CHECK(run.cell.figures(0).tied);
    run.update(63);
    CHECK(run.cell.schedule().rises() == 0);
    CHECK_FALSE(run.cell.due(0));
    run.tied = reference::ties(DType::float32, 400, 4);
    run.update(1);
    const std::vector<bool> first = run.kept(0);
    CHECK_FALSE(run.cell.figures(0).tied);
    CHECK(run.cell.figures(0).zeros >= 160);
    run.tied = equal(DType::float32, 400, 0);  // all equal again
    run.update(64);
    CHECK(run.cell.schedule().ended());
    CHECK(run.cell.figures(0).tied);
    CHECK(run.cell.figures(0).asked == 0.6f);
    CHECK(run.kept(0) == first);  // the mask of before
    CHECK(run.cell.due(0));
    run.tied = reference::ties(DType::float32, 400, 5);
    run.cell.end_epoch({}, run.tensors());
    CHECK_FALSE(run.cell.figures(0).tied);
    CHECK(run.cell.figures(0).zeros >= 240);
    CHECK_FALSE(run.cell.due(0));
  }
}

TEST_CASE("a new start has no mask to keep, and a mask that is set is not tried again") {
  Pair run(fixed(true));
  run.tied = reference::ties(DType::float32, 400, 4);
  run.update(1);
  run.tied = equal(DType::float32, 400, 0);
  run.cell.initialize({}, run.tensors(), true);
  CHECK(run.cell.figures(0).tied);
  CHECK(run.cell.mask(0)->zeros() == 0);
  run.cell.set_mask(0, reference::random_mask(400));
  CHECK_FALSE(run.cell.due(1));
}

TEST_CASE("a state remembers the masks that are to be tried again, and a failure leaves them so") {
  Pair run(fixed(true));
  Pair resumed(fixed(true));
  resumed.cell.set_mask(0, reference::random_mask(400));
  resumed.cell.load(run.cell.save());
  CHECK(resumed.cell.due(1));
  for (std::int64_t i = 0; i < 400; ++i) resumed.tied.set(i, NAN);
  CHECK_THROWS_AS(resumed.update(1), UnreachableThreshold);
  CHECK(resumed.cell.figures(0).tied);
  CHECK(resumed.cell.mask(0)->zeros() == 0);
  Parameters pruning = run.cell.parameters();
  pruning.ties = Ties::prune;
  PruneCell other(pruning);
  other.add_tensor({400});
  other.add_tensor({300});
  CHECK_THROWS_WITH_AS(other.load(run.cell.save()), doctest::Contains("ties: keep, here prune"), InvalidArgument);
}

}  // namespace
