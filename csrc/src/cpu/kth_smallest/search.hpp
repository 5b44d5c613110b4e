// The first half of a rebuild: which weights of a job stay. Reads the weights, writes no memory of the caller.
#pragma once

#include "cpu/kth_smallest/candidates.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cpu {

struct Decision {
  enum class Kind : std::uint8_t {
    keep_old,   ///< the mask is the old one
    fall_back,  ///< the mask is the fallback
    prune_all,
    searched,    ///< the mask is in the words that search() was given
    unreachable  ///< no level prunes enough weights
  };
  Kind kind = Kind::keep_old;
  std::int64_t need = 0;
  std::int64_t zeros = 0;
  std::int64_t level = 0;
  std::uint32_t limit = 0;  ///< key
};

/// `words`: word_count(size) of them, scratch until the decision is `searched`.
Decision search(const Context& context, const Job& job, std::uint32_t* words, Team& team);

}  // namespace prunecell::cpu
