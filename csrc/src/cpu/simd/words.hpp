// Items by the words of a mask, 32 to a word. Included by kernels.cpp.
#pragma once

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// Bit j = predicate(items[j]), for up to 32 items.
template <class Predicate>
inline std::uint32_t pack_bits(const std::uint32_t* items, int count, Predicate&& predicate) {
  std::uint32_t word = 0;
#pragma omp simd reduction(| : word)
  for (int j = 0; j < count; ++j) word |= std::uint32_t(predicate(items[j])) << j;
  return word;
}

/// body(first item, number of items) for runs of 32, whole ones and the rest each compiled for its own length.
template <class Body>
inline void for_each_word(std::int64_t n, Body&& body) {
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) body(i, 32);
  if (i < n) body(i, int(n - i));
}

}  // namespace
}  // namespace prunecell::cpu
