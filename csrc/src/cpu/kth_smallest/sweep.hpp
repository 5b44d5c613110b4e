// One pass over a tensor, or over a sample of its tiles: which weights reach a bracket of keys, which lie above it, and
// a list of those between, or of its upper level. This is where a rebuild reads the weights.
#pragma once

#include "cpu/kth_smallest/candidates.hpp"
#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <vector>

namespace prunecell::cpu {

/// What a pass tells apart, and lists with its team as long as there is room.
struct Question {
  KeyBracket bracket;
  List list;
  std::uint32_t middle = 0;  ///< the last key of the lower level, where the weights of the upper one are listed
};

struct PassCounts {
  std::int64_t reached = 0;   ///< kept weights with key >= first
  std::int64_t upper = 0;     ///< > middle, where there is one
  std::int64_t above = 0;     ///< > last
  std::int64_t unlisted = 0;  ///< that should be listed, but there was no room
  std::int64_t weights = 0;
  std::int64_t full_tiles = 0;
  /// From each full tile to the next: how many such steps, and the sums of the squared differences of the counts of
  /// weights above, and of those that reach the bracket.
  std::int64_t steps = 0, squares_above = 0, squares_reached = 0;

  PassCounts& operator+=(const PassCounts& other);
};

/// What a pass over a bracket has found, until the next pass of its team.
struct PassResult {
  PassCounts counts;
  std::vector<KeyList> listed;  ///< keys of the weights inside the bracket

  /// Kept weights whose keys are above `limit`, for a limit from just below the bracket to its end.
  std::int64_t kept_above(std::uint32_t limit) const { return counts.above + count_above(listed, limit); }
  /// Smallest limit within the bracket, or a part of it, that keeps at most `most` weights; the end does.
  std::uint32_t limit(const KeyBracket& within, std::int64_t most) const {
    return smallest_limit(listed, within.first, within.last, most - counts.above);
  }
};

/// Counts the weights of each `stride`-th tile. What the team had listed before is forgotten. Writes to `words`, the
/// tensor's mask words to be, which weights are kept and above the bracket; null: nowhere.
PassResult pass(const Job& job, std::int64_t stride, const Question& question, std::uint32_t* words, Team& team);

}  // namespace prunecell::cpu
