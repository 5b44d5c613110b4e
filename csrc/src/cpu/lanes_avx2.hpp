// The comparison of 64 weights with a bracket in AVX2, which has neither unsigned comparisons nor lane masks: see
// lanes_avx512.hpp.
#pragma once

#include "sides.hpp"

#include <immintrin.h>

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// All ones where a lane of `items` is at least that of `bound`; one bit per lane of such a result.
template <int Bytes>
struct Lanes;

template <>
struct Lanes<2> {
  static constexpr int count = 16;
  static __m256i all(std::uint64_t item) { return _mm256_set1_epi16(std::int16_t(item)); }
  static __m256i at_least(__m256i items, __m256i bound) {
    return _mm256_cmpeq_epi16(_mm256_max_epu16(items, bound), items);
  }
  static std::uint32_t bits(__m256i lanes) {
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    return std::uint32_t(_mm_movemask_epi8(bytes));
  }
};

template <>
struct Lanes<4> {
  static constexpr int count = 8;
  static __m256i all(std::uint64_t item) { return _mm256_set1_epi32(std::int32_t(item)); }
  static __m256i at_least(__m256i items, __m256i bound) {
    return _mm256_cmpeq_epi32(_mm256_max_epu32(items, bound), items);
  }
  static std::uint32_t bits(__m256i lanes) { return std::uint32_t(_mm256_movemask_ps(_mm256_castsi256_ps(lanes))); }
};

template <>
struct Lanes<8> {
  static constexpr int count = 4;
  static __m256i all(std::uint64_t item) { return _mm256_set1_epi64x(std::int64_t(item)); }
  /// Items and bounds below 2^63 only: magnitudes of float64.
  static __m256i at_least(__m256i items, __m256i bound) {
    return _mm256_andnot_si256(_mm256_cmpgt_epi64(bound, items), _mm256_set1_epi64x(-1));
  }
  static std::uint32_t bits(__m256i lanes) { return std::uint32_t(_mm256_movemask_pd(_mm256_castsi256_pd(lanes))); }
};

/// Compares the `Significant` bits of 64 items with two bounds, both inclusive: a bit per item.
template <class Item, Item Significant>
class Bracket {
 public:
  Bracket(std::uint64_t first, std::uint64_t last)
      : first_(L::all(first)), last_(L::all(last)), significant_(L::all(Significant)) {}

  Sides operator()(const unsigned char* items) const {
    std::uint64_t reached = 0, within = 0;
    for (int lane = 0; lane < 64; lane += L::count) {
      const auto* at = reinterpret_cast<const __m256i*>(items + lane * int(sizeof(Item)));
      const __m256i keys = _mm256_and_si256(_mm256_loadu_si256(at), significant_);
      reached |= std::uint64_t(L::bits(L::at_least(keys, first_))) << lane;
      within |= std::uint64_t(L::bits(L::at_least(last_, keys))) << lane;
    }
    return {reached, ~within};
  }

 private:
  using L = Lanes<sizeof(Item)>;
  __m256i first_, last_, significant_;
};

}  // namespace
}  // namespace prunecell::cpu
