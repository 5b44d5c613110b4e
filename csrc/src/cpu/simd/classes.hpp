// The class of each of 64 weights with respect to a bracket: a bit for each.
#pragma once

#include <cstdint>

namespace prunecell::cpu {
namespace {

struct Classes {
  std::uint64_t not_rejected = 0;  ///< at least the first key of the bracket
  std::uint64_t kept = 0;          ///< above its last key
};

/// The first `count` of 64 bits.
inline std::uint64_t first_bits(std::int64_t count) {
  return count >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << count) - 1;
}

}  // namespace
}  // namespace prunecell::cpu
