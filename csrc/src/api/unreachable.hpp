// The error of a threshold that no level reaches, worded once for the local and the distributed search.
#pragma once

#include <cstdint>
#include <string>

namespace prunecell {

/// Weights within the last level, and what the others are.
struct Census {
  std::int64_t size = 0;
  std::int64_t reachable = 0;
  std::int64_t finite = 0;
  std::int64_t inf = 0;
  std::int64_t nan = 0;
};

[[noreturn]] void throw_unreachable_threshold(const std::string& tensor, float threshold, float delta,
                                              std::int64_t need, const Census& census);

}  // namespace prunecell
