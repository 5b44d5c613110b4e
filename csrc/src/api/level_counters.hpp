// The counters of a LevelSearch by name: buckets of the bracket, then what lies outside it.
#pragma once

#include "api/unreachable.hpp"

#include <prunecell/level_search.hpp>

#include <cstdint>
#include <span>

namespace prunecell {

/// A view of LevelSearch::counter_count counters. `Count`: std::int64_t, const or not.
template <class Count>
struct LevelCounters {
  explicit LevelCounters(Count* counters)
      : bucket(counters, LevelSearch::bucket_count),
        below(counters[LevelSearch::bucket_count]),
        finite(counters[LevelSearch::bucket_count + 1]),
        inf(counters[LevelSearch::bucket_count + 2]),
        nan(counters[LevelSearch::bucket_count + 3]) {}

  std::span<Count, LevelSearch::bucket_count> bucket;
  Count& below;               ///< weights below the bracket
  Count &finite, &inf, &nan;  ///< first round only: weights beyond the last level

  /// Adds what one participant has counted. `counts`: buckets and below, of whatever integers.
  template <class Counts>
  void add(const Counts& counts, const Census& beyond) const {
    for (std::size_t b = 0; b < bucket.size(); ++b) bucket[b] += std::int64_t(counts.bucket[b]);
    below += std::int64_t(counts.below);
    finite += beyond.finite;
    inf += beyond.inf;
    nan += beyond.nan;
  }
};

}  // namespace prunecell
