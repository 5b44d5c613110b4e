// Packed bits, 32 to a word, least significant first.
#pragma once

#include "cpu/simd/kernels.hpp"

#include <prunecell/types.hpp>

#include <algorithm>
#include <cstdint>

namespace prunecell {

inline bool kept(MaskView mask, std::int64_t index) {
  return !mask.words || (mask.words[index / 32] >> (index % 32) & 1u);
}

inline std::int64_t count_ones(const std::uint32_t* words, std::int64_t count) {
  return cpu::kernels().count_ones(words, count);
}

/// Sets the first `bits` bits and clears the rest of the last word.
inline void fill_ones(std::uint32_t* words, std::int64_t bits) {
  std::fill_n(words, bits / 32, UINT32_MAX);
  if (bits % 32) words[bits / 32] = (1u << bits % 32) - 1;
}

}  // namespace prunecell
