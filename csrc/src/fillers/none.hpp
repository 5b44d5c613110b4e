// None: the caller sets the mask.
#pragma once

#include "fillers/selection.hpp"

#include <prunecell/rule.hpp>

namespace prunecell {

inline Selection select(const None&) { return {.keys = Selection::Keys::none}; }

}  // namespace prunecell
