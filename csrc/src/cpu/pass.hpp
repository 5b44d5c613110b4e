// One pass over a part of a tensor: which of its weights reach a bracket of keys, which lie above it, and a list of
// those between. This is where a rebuild reads the weights.
#pragma once

#include "../key_search.hpp"
#include "worker.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cpu {

/// The tiles whose numbers are multiples of `stride` but not of `before` = stride * factor (0: all multiples), so
/// that passes of falling stride visit each tile of a tensor once, each pass a regular sample of the whole.
struct TileSubset {
  std::int64_t stride = 1, before = 0;

  std::int64_t count(std::int64_t tiles) const {
    const auto multiples = [=](std::int64_t of) { return (tiles + of - 1) / of; };
    return multiples(stride) - (before ? multiples(before) : 0);
  }
  std::int64_t tile(std::int64_t index) const {
    if (before == 0) return index * stride;
    const std::int64_t factor = before / stride;
    return (index + index / (factor - 1) + 1) * stride;
  }
};

struct PassCounts {
  std::int64_t above = 0;     ///< kept weights with key > last
  std::int64_t unlisted = 0;  ///< those from first to last that are not among the candidates
  std::int64_t weights = 0;
  std::int64_t full_tiles = 0;
  /// From each full tile to the next: how many such steps, and the sums of the squared differences of the counts of
  /// weights above, and of those that reach the bracket.
  std::int64_t steps = 0, squares_above = 0, squares_reached = 0;

  PassCounts& operator+=(const PassCounts& other);
};

/// Writes to `words`, the tensor's mask words to be, which of the visited tiles' weights are kept and above the
/// bracket. Lists those inside it with the team's candidates where `listing`, as long as there is room.
PassCounts pass(const Job& job, const TileSubset& subset, const KeyBracket& bracket, bool listing, std::uint32_t* words,
                Team team);

}  // namespace prunecell::cpu
