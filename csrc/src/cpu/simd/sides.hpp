// On which side of a bracket each of 64 weights lies: a bit for each.
#pragma once

#include <cstdint>

namespace prunecell::cpu {
namespace {

struct Sides {
  std::uint64_t reached = 0;  ///< bit per weight: at least the first key of the bracket
  std::uint64_t above = 0;    ///< more than the last
};

/// The first `count` of 64 bits.
inline std::uint64_t first_bits(std::int64_t count) {
  return count >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << count) - 1;
}

}  // namespace
}  // namespace prunecell::cpu
