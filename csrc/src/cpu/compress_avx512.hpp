// One run of up to 32 weights packed or unpacked by the compress and expand instructions. Included by kernels.cpp
// where the compiler targets them; the bit loops there mean the same. The register forms with masked loads and
// stores, because the memory forms are slow on some processors, and nothing beyond the values may be touched.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// Lanes of one register: how many weights of `bytes` each, and the operations on them.
template <int Bytes>
struct Lanes;

template <>
struct Lanes<2> {
  using Mask = __mmask32;
  static constexpr int count = 32;
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi16(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi16(to, lanes, items); }
  static __m512i compress(Mask kept, __m512i items) { return _mm512_maskz_compress_epi16(kept, items); }
  static __m512i expand(Mask kept, __m512i items) { return _mm512_maskz_expand_epi16(kept, items); }
};

template <>
struct Lanes<4> {
  using Mask = __mmask16;
  static constexpr int count = 16;
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi32(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi32(to, lanes, items); }
  static __m512i compress(Mask kept, __m512i items) { return _mm512_maskz_compress_epi32(kept, items); }
  static __m512i expand(Mask kept, __m512i items) { return _mm512_maskz_expand_epi32(kept, items); }
};

template <>
struct Lanes<8> {
  using Mask = __mmask8;
  static constexpr int count = 8;
  static __m512i load(Mask lanes, const void* from) { return _mm512_maskz_loadu_epi64(lanes, from); }
  static void store(void* to, Mask lanes, __m512i items) { _mm512_mask_storeu_epi64(to, lanes, items); }
  static __m512i compress(Mask kept, __m512i items) { return _mm512_maskz_compress_epi64(kept, items); }
  static __m512i expand(Mask kept, __m512i items) { return _mm512_maskz_expand_epi64(kept, items); }
};

/// The first `count` of 64 bits.
inline std::uint64_t first_bits(int count) { return count >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << count) - 1; }

/// body(first weight, mask of its lanes, mask of those kept, number kept) for each register of `n` weights.
template <int Bytes, class Body>
void for_each_register(std::int64_t n, const std::uint32_t* words, Body&& body) {
  using Mask = typename Lanes<Bytes>::Mask;
  constexpr int count = Lanes<Bytes>::count;
  for (std::int64_t i = 0; i < n; i += count) {
    const auto lanes = Mask(first_bits(int(n - i < count ? n - i : count)));
    const auto kept = Mask(words[i / 32] >> (i % 32));
    body(i, lanes, kept, __builtin_popcountll(std::uint64_t(kept)));
  }
}

template <int Bytes>
std::int64_t pack_registers(const void* weights, std::int64_t n, const std::uint32_t* words, void* values) {
  using Mask = typename Lanes<Bytes>::Mask;
  const auto* from = static_cast<const unsigned char*>(weights);
  auto* to = static_cast<unsigned char*>(values);
  for_each_register<Bytes>(n, words, [&](std::int64_t i, Mask lanes, Mask kept, int number) {
    const __m512i items = Lanes<Bytes>::load(lanes, from + i * Bytes);
    Lanes<Bytes>::store(to, Mask(first_bits(number)), Lanes<Bytes>::compress(kept, items));
    to += number * Bytes;
  });
  return (to - static_cast<unsigned char*>(values)) / Bytes;
}

template <int Bytes>
void unpack_registers(const void* values, std::int64_t n, const std::uint32_t* words, void* out) {
  using Mask = typename Lanes<Bytes>::Mask;
  const auto* from = static_cast<const unsigned char*>(values);
  auto* to = static_cast<unsigned char*>(out);
  for_each_register<Bytes>(n, words, [&](std::int64_t i, Mask lanes, Mask kept, int number) {
    const __m512i items = Lanes<Bytes>::load(Mask(first_bits(number)), from);
    Lanes<Bytes>::store(to + i * Bytes, lanes, Lanes<Bytes>::expand(kept, items));
    from += number * Bytes;
  });
}

}  // namespace
}  // namespace prunecell::cpu
