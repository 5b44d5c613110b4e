// AVX-512 registers of weights, and the comparison of 64 of them with a bracket. Included by kernels.cpp where the
// compiler targets them; lanes_avx2.hpp and lanes_portable.hpp offer the same Bracket.
#pragma once

#include "cpu/simd/classes.hpp"
#include "semantics/semantics.hpp"

#include <immintrin.h>

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// Lanes of one register: how many items of `Bytes` each, and the operations on them.
template <int Bytes>
struct Lanes;

template <>
struct Lanes<2> {
  using Mask = __mmask32;
  static constexpr int count = 32;
  static __m512i all(std::uint64_t item) { return _mm512_set1_epi16(std::int16_t(item)); }
  static Mask at_least(__m512i items, __m512i bound) { return _mm512_cmpge_epu16_mask(items, bound); }
  static Mask above(__m512i items, __m512i bound) { return _mm512_cmpgt_epu16_mask(items, bound); }
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi16(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi16(to, lanes, items); }
  static __m512i choose(Mask kept, __m512i items, __m512i otherwise) {
    return _mm512_mask_mov_epi16(otherwise, kept, items);
  }
};

template <>
struct Lanes<4> {
  using Mask = __mmask16;
  static constexpr int count = 16;
  static __m512i all(std::uint64_t item) { return _mm512_set1_epi32(std::int32_t(item)); }
  static Mask at_least(__m512i items, __m512i bound) { return _mm512_cmpge_epu32_mask(items, bound); }
  static Mask above(__m512i items, __m512i bound) { return _mm512_cmpgt_epu32_mask(items, bound); }
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi32(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi32(to, lanes, items); }
  static __m512i choose(Mask kept, __m512i items, __m512i otherwise) {
    return _mm512_mask_mov_epi32(otherwise, kept, items);
  }
};

template <>
struct Lanes<8> {
  using Mask = __mmask8;
  static constexpr int count = 8;
  static __m512i all(std::uint64_t item) { return _mm512_set1_epi64(std::int64_t(item)); }
  static Mask at_least(__m512i items, __m512i bound) { return _mm512_cmpge_epu64_mask(items, bound); }
  static Mask above(__m512i items, __m512i bound) { return _mm512_cmpgt_epu64_mask(items, bound); }
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi64(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi64(to, lanes, items); }
  static __m512i choose(Mask kept, __m512i items, __m512i otherwise) {
    return _mm512_mask_mov_epi64(otherwise, kept, items);
  }
};

/// body(first weight, mask of its lanes, mask of those kept) for each register of `n` weights.
template <int Bytes, class Body>
inline void for_each_register(std::int64_t n, const std::uint32_t* words, Body&& body) {
  using Mask = typename Lanes<Bytes>::Mask;
  constexpr int count = Lanes<Bytes>::count;
  const std::int64_t whole = n / 64 * 64;
  for (std::int64_t i = 0; i < whole; i += 64) {
    std::uint64_t kept;
    __builtin_memcpy(&kept, words + i / 32, sizeof kept);
    for (int lane = 0; lane < 64; lane += count) body(i + lane, Mask(-1), Mask(kept >> lane));
  }
  for (std::int64_t i = whole; i < n; i += count)
    body(i, Mask(first_bits(int(n - i < count ? n - i : count))), Mask(words[i / 32] >> (i % 32)));
}

/// Eight words of 32 bits for semantics::philox(), each in the lower half of a lane; the upper halves are not looked
/// at.
struct Words {
  static constexpr int count = 8;

  explicit Words(std::uint32_t word) : lanes(_mm512_set1_epi64(word)) {}
  explicit Words(__m512i words) : lanes(words) {}

  /// The halves of eight numbers from `first` on.
  static Words low_of(std::uint64_t first) {
    const __m512i numbers = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    return Words(_mm512_add_epi64(_mm512_set1_epi64(std::int64_t(first)), numbers));
  }
  static Words high_of(std::uint64_t first) { return Words(_mm512_srli_epi64(low_of(first).lanes, 32)); }

  __m512i lanes;
};
inline Words operator^(Words a, Words b) { return Words(_mm512_xor_si512(a.lanes, b.lanes)); }
inline semantics::Product<Words> product(Words a, Words b) {
  const __m512i wide = _mm512_mul_epu32(a.lanes, b.lanes);
  return {Words(_mm512_srli_epi64(wide, 32)), Words(wide)};
}

/// The words of block after block.
inline void store(std::uint32_t* to, const semantics::PhiloxBlock<Words>& blocks) {
  const auto pair = [](Words low, Words high) {
    return _mm512_mask_blend_epi32(0xaaaa, low.lanes, _mm512_slli_epi64(high.lanes, 32));
  };
  const __m512i even = pair(blocks.word[0], blocks.word[1]), odd = pair(blocks.word[2], blocks.word[3]);
  const __m512i front = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), back = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
  _mm512_storeu_si512(to, _mm512_permutex2var_epi64(even, front, odd));
  _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi64(even, back, odd));
}

/// The lane masks of 64 items side by side, joined as masks: GCC 12 may keep one in memory and widen it with the bytes
/// behind it, where masks are widened to integers first.
inline std::uint64_t join(const __mmask32 (&part)[2]) { return _cvtmask64_u64(_mm512_kunpackd(part[1], part[0])); }
inline std::uint64_t join(const __mmask16 (&part)[4]) {
  return join({_mm512_kunpackw(part[1], part[0]), _mm512_kunpackw(part[3], part[2])});
}
inline std::uint64_t join(const __mmask8 (&part)[8]) {
  const auto pair = [&](int i) { return _mm512_kunpackb(part[i + 1], part[i]); };
  return join({pair(0), pair(2), pair(4), pair(6)});
}

/// Compares the `Significant` bits of 64 items with two bounds, both inclusive: a bit per item.
template <class Item, Item Significant>
class Bracket {
 public:
  Bracket(std::uint64_t first, std::uint64_t last)
      : first_(L::all(first)), last_(L::all(last)), significant_(L::all(Significant)) {}

  Classes operator()(const unsigned char* items) const {
    typename L::Mask not_rejected[64 / L::count], kept[64 / L::count];
    for (int part = 0; part < 64 / L::count; ++part) {
      const __m512i keys = _mm512_and_si512(_mm512_loadu_si512(items + part * 64), significant_);
      not_rejected[part] = L::at_least(keys, first_);
      kept[part] = L::above(keys, last_);
    }
    return {join(not_rejected), join(kept)};
  }

 private:
  using L = Lanes<sizeof(Item)>;
  __m512i first_, last_, significant_;
};

}  // namespace
}  // namespace prunecell::cpu
