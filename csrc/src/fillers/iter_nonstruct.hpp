// IterNonStruct: all weights up to delta go; if those are not enough, all up to 2 delta, and so on. The iterations are
// not run: the level k is that of the need-th smallest magnitude (semantics::level_of), and its limit k * delta rounds
// that magnitude up to the grid. cpu/kth_smallest/README.md tells how the magnitude is found in about one read.
#pragma once

#include "fillers/selection.hpp"

#include <prunecell/rule.hpp>

namespace prunecell {

inline Selection select(const IterNonStruct& rule) {
  return {.keys = Selection::Keys::magnitudes,
          .on_grid = true,
          .spares_tensors = rule.ties == Ties::keep && rule.threshold < 1,
          .threshold = rule.threshold,
          .delta = rule.delta};
}

}  // namespace prunecell
