// How a call into the plugin ends. No exception crosses the border between the two libraries.
#pragma once

#include <cstdint>

namespace prunecell::cuda {

struct Status {
  enum class Kind : std::uint32_t { done, invalid_argument, wrong_state, unavailable, failed };
  Kind kind = Kind::done;
  char text[500] = {};  ///< ends with 0
};

}  // namespace prunecell::cuda
