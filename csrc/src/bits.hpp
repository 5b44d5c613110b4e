// Packed bits, 32 to a word, least significant first.
#pragma once

#include <prunecell/types.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace prunecell {

inline bool kept(MaskView mask, std::int64_t index) {
  return !mask.words || (mask.words[index / 32] >> (index % 32) & 1u);
}

inline std::int64_t count_ones(const std::uint32_t* words, std::int64_t count) {
  std::int64_t ones = 0;
  for (std::int64_t w = 0; w < count; ++w) ones += std::popcount(words[w]);
  return ones;
}

/// Sets the first `bits` bits and clears the rest of the last word.
inline void fill_ones(std::uint32_t* words, std::int64_t bits) {
  std::fill_n(words, bits / 32, UINT32_MAX);
  if (bits % 32) words[bits / 32] = (1u << bits % 32) - 1;
}

}  // namespace prunecell
