// The comparison of 64 weights with a bracket in AVX2, which has neither unsigned comparisons nor lane masks: see
// lanes_avx512.hpp.
#pragma once

#include "cpu/simd/classes.hpp"
#include "semantics/semantics.hpp"

#include <immintrin.h>

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// at_least: all ones where a lane of `items` is at least that of `bound`. bits: one bit per lane of it.
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

/// Four words of 32 bits for semantics::philox(), each in the lower half of a lane; the upper halves are not looked at.
struct Words {
  static constexpr int count = 4;

  explicit Words(std::uint32_t word) : lanes(_mm256_set1_epi64x(word)) {}
  explicit Words(__m256i words) : lanes(words) {}

  /// The halves of four numbers from `first` on.
  static Words low_of(std::uint64_t first) {
    return Words(_mm256_add_epi64(_mm256_set1_epi64x(std::int64_t(first)), _mm256_set_epi64x(3, 2, 1, 0)));
  }
  static Words high_of(std::uint64_t first) { return Words(_mm256_srli_epi64(low_of(first).lanes, 32)); }

  __m256i lanes;
};
inline Words operator^(Words a, Words b) { return Words(_mm256_xor_si256(a.lanes, b.lanes)); }
inline semantics::Product<Words> product(Words a, Words b) {
  const __m256i wide = _mm256_mul_epu32(a.lanes, b.lanes);
  return {Words(_mm256_srli_epi64(wide, 32)), Words(wide)};
}

/// The words of block after block.
inline void store(std::uint32_t* to, const semantics::PhiloxBlock<Words>& blocks) {
  const auto pair = [](Words low, Words high) {
    return _mm256_blend_epi32(low.lanes, _mm256_slli_epi64(high.lanes, 32), 0xaa);
  };
  const __m256i front = pair(blocks.word[0], blocks.word[1]), back = pair(blocks.word[2], blocks.word[3]);
  const __m256i even = _mm256_unpacklo_epi64(front, back), odd = _mm256_unpackhi_epi64(front, back);
  auto* at = reinterpret_cast<__m256i*>(to);
  _mm256_storeu_si256(at, _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256(at + 1, _mm256_permute2x128_si256(even, odd, 0x31));
}

/// Compares the `Significant` bits of 64 items with two bounds, both inclusive: a bit per item.
template <class Item, Item Significant>
class Bracket {
 public:
  Bracket(std::uint64_t first, std::uint64_t last)
      : first_(L::all(first)), last_(L::all(last)), significant_(L::all(Significant)) {}

  Classes operator()(const unsigned char* items) const {
    std::uint64_t not_rejected = 0, within = 0;
    for (int lane = 0; lane < 64; lane += L::count) {
      const auto* at = reinterpret_cast<const __m256i*>(items + lane * int(sizeof(Item)));
      const __m256i keys = _mm256_and_si256(_mm256_loadu_si256(at), significant_);
      not_rejected |= std::uint64_t(L::bits(L::at_least(keys, first_))) << lane;
      within |= std::uint64_t(L::bits(L::at_least(last_, keys))) << lane;
    }
    return {not_rejected, ~within};
  }

 private:
  using L = Lanes<sizeof(Item)>;
  __m256i first_, last_, significant_;
};

}  // namespace
}  // namespace prunecell::cpu
