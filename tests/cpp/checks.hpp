// Rebuilds compared with the reference.
#pragma once

#include "axis.hpp"
#include "reference.hpp"

#include <prunecell/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>

namespace checks {

using namespace prunecell;
using reference::Weights;

/// Builds a mask that exists. The CPU, which treats new masks differently, builds a new one of arbitrary words too.
inline Result build(Weights& weights, const Mask& mask, const Rule& rule, const Mask* old = nullptr, Layout layout = {},
                    int threads = 1) {
  RebuildJob job{
      .weights = weights.view(layout), .mask = mask.view(), .old = old ? old->view() : MaskView{}, .rule = rule};
  Result result;
  axis::build_masks({.threads = threads}, {&job, 1}, {&result, 1});

  if (axis::on_cuda()) return result;
  const Mask fresh(mask.shape());
  std::fill_n(fresh.view().words, word_count(fresh.size()), 0xa5a5a5a5u);
  job.mask = fresh.view();
  job.mask_is_new = true;
  axis::build_masks({.threads = threads}, {&job, 1}, {});
  REQUIRE(std::equal(fresh.words().get(), fresh.words().get() + word_count(fresh.size()), mask.words().get()));
  return result;
}

inline Rule magnitude(float threshold, float delta) { return IterNonStruct{.threshold = threshold, .delta = delta}; }

inline void check_against_reference(Weights& weights, float threshold, float delta, const Mask* old = nullptr,
                                    int threads = 1) {
  Mask mask({weights.size()});
  const reference::Decision expected = reference::iter_nonstruct(weights, threshold, delta, old);
  if (!expected.reachable) {
    REQUIRE_THROWS_AS(build(weights, mask, magnitude(threshold, delta), old, {}, threads), UnreachableThreshold);
    REQUIRE(mask.zeros() == 0);
    return;
  }
  const Result result = build(weights, mask, magnitude(threshold, delta), old, {}, threads);
  REQUIRE(result.level == expected.level);
  REQUIRE(result.zeros == expected.zeros());
  REQUIRE(result.need == reference::need(weights.size(), threshold));
  if (weights.size() > 0) REQUIRE(result.limit == reference::limit(delta, expected.level));
  REQUIRE(reference::bits_of(mask) == expected.kept);
  REQUIRE(reference::tail_is_clear(mask));
}

}  // namespace checks
