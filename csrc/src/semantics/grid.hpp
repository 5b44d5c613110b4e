// Brackets of keys on the grid of levels. The host's searches and the kernels decide by it.
#pragma once

#include "semantics/key_bracket.hpp"
#include "semantics/semantics.hpp"

#include <cstdint>

namespace prunecell::semantics {

/// A level of the grid, and the largest key that it prunes.
struct GridLevel {
  std::int64_t number;
  std::uint32_t limit;
};

PRUNECELL_HOST_DEVICE static inline GridLevel grid_level(float delta, std::uint32_t key) {
  const std::int64_t number = level_of(delta, key);
  return {number, limit_key(delta, number)};
}

/// Whether one level prunes all keys of a bracket: then it is the level of whichever of them decides.
PRUNECELL_HOST_DEVICE static inline bool within_one_level(const GridLevel& of_first, const KeyBracket& bracket) {
  return of_first.limit >= bracket.last;
}

}  // namespace prunecell::semantics
