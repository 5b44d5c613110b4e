// Random: the weights with the smallest numbers go, of equal ones those with the smallest indices. The numbers are
// counter-based (semantics::philox), so that each index has its own whatever thread or device draws it.
#pragma once

#include "fillers/selection.hpp"

#include <prunecell/rule.hpp>

namespace prunecell {

inline Selection select(const Random& rule) {
  return {.keys = Selection::Keys::numbers,
          .tensor = rule.tensor,
          .rise = rule.rise,
          .seed = rule.seed,
          .threshold = rule.threshold};
}

}  // namespace prunecell
