// The search for the key that decides a mask. README.md tells the algorithm.
#pragma once

#include "cpu/kth_smallest/candidates.hpp"
#include "fillers/selection.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cpu {

/// What a mask is to be.
struct Decision {
  enum class Kind : std::uint8_t {
    keep_old,   ///< the mask is the old one
    fall_back,  ///< the mask is the fallback
    prune_all,
    found,       ///< the mask is in the words that search() was given
    unreachable  ///< no level prunes enough weights
  };
  Kind kind = Kind::keep_old;
  std::int64_t need = 0;
  std::int64_t zeros = 0;
  std::int64_t level = 0;
  Limit limit = {.key = 0, .tie_end = 0};
};

/// Reads the weights and writes `words`, word_count(size) of them, which are scratch until the decision is `found`.
/// `fallback`: the mask of a tensor that would lose all of its weights though the selection spares such.
Decision search(const Context& context, const Ranked& ranked, const MaskView& fallback, std::uint32_t* words,
                Workers& workers);

/// Weights of a tensor that a mask prunes; no words: none.
std::int64_t zeros_of(const MaskView& mask);

}  // namespace prunecell::cpu
