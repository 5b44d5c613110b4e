// One sweep over all weights of a tensor, or over a sample of its tiles: which weights are rejected by a bracket of
// keys, which are kept, and the candidates between, or those of its upper level. This is where a rebuild reads the
// weights.
#pragma once

#include "cpu/kth_smallest/candidates.hpp"
#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <vector>

namespace prunecell::cpu {

/// What a sweep classifies weights by, and collects as long as there is memory.
struct SweepTask {
  KeyBracket bracket;
  Collect collect;
  std::uint32_t middle = 0;  ///< the last key of the lower level, where the upper level is collected
};

struct SweepCounts {
  std::int64_t not_rejected = 0;     ///< kept weights with key >= first
  std::int64_t kept_with_upper = 0;  ///< with key > middle, where there is one
  std::int64_t kept = 0;             ///< with key > last
  std::int64_t not_collected = 0;    ///< candidates for which memory has run out
  std::int64_t weights = 0;
  std::int64_t full_tiles = 0;
  /// Steps from a full tile to the next, and the sums of the squared differences of their counts.
  std::int64_t steps = 0, squares_kept = 0, squares_not_rejected = 0;

  SweepCounts& operator+=(const SweepCounts& other);
};

/// What a sweep has found, until the next sweep of its workers.
struct SweepResult {
  SweepCounts counts;
  std::vector<KeyList> candidates;  ///< keys

  /// Kept weights whose keys are above `limit`, for a limit from just below the bracket to its end.
  std::int64_t kept_above(std::uint32_t limit) const { return counts.kept + count_above(candidates, limit); }
  /// Smallest limit within the bracket, or a part of it, that keeps at most `most` weights; the end does.
  std::uint32_t limit(const KeyBracket& within, std::int64_t most) const {
    return smallest_limit(candidates, within.first, within.last, most - counts.kept);
  }
};

/// Counts the weights of each `stride`-th tile. Forgets what the workers had collected. Writes to `words`, the tensor's
/// mask words to be, which weights are kept; null: nowhere.
SweepResult sweep(const Ranked& ranked, std::int64_t stride, const SweepTask& task, std::uint32_t* words,
                  Workers& workers);

}  // namespace prunecell::cpu
