// The one table that picks: from a rule to its selection.
#pragma once

#include "fillers/iter_nonstruct.hpp"
#include "fillers/none.hpp"
#include "fillers/random.hpp"

namespace prunecell {

inline Selection selection_of(const Rule& rule) {
  return std::visit([](const auto& one) { return select(one); }, rule);
}

}  // namespace prunecell
