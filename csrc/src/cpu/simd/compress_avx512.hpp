// One run of up to 32 weights packed or unpacked by the compress and expand instructions. Included by kernels.cpp
// where the compiler targets them; the bit loops there mean the same. The register forms with masked loads and
// stores, because the memory forms are slow on some processors, and nothing beyond the values may be touched.
#pragma once

#include "cpu/simd/lanes_avx512.hpp"

namespace prunecell::cpu {
namespace {

/// The two instructions, by bytes of an item.
template <int Bytes>
struct Squeeze;

template <>
struct Squeeze<2> {
  static __m512i compress(__mmask32 kept, __m512i items) { return _mm512_maskz_compress_epi16(kept, items); }
  static __m512i expand(__mmask32 kept, __m512i items) { return _mm512_maskz_expand_epi16(kept, items); }
};

template <>
struct Squeeze<4> {
  static __m512i compress(__mmask16 kept, __m512i items) { return _mm512_maskz_compress_epi32(kept, items); }
  static __m512i expand(__mmask16 kept, __m512i items) { return _mm512_maskz_expand_epi32(kept, items); }
};

template <>
struct Squeeze<8> {
  static __m512i compress(__mmask8 kept, __m512i items) { return _mm512_maskz_compress_epi64(kept, items); }
  static __m512i expand(__mmask8 kept, __m512i items) { return _mm512_maskz_expand_epi64(kept, items); }
};

template <int Bytes>
std::int64_t pack_registers(const void* weights, std::int64_t n, const std::uint32_t* words, void* values) {
  using Mask = typename Lanes<Bytes>::Mask;
  const auto* from = static_cast<const unsigned char*>(weights);
  auto* to = static_cast<unsigned char*>(values);
  for_each_register<Bytes>(n, words, [&](std::int64_t i, Mask lanes, Mask kept) {
    const int number = __builtin_popcountll(kept);
    const __m512i items = Lanes<Bytes>::load(lanes, from + i * Bytes);
    Lanes<Bytes>::store(to, Mask(first_bits(number)), Squeeze<Bytes>::compress(kept, items));
    to += number * Bytes;
  });
  return (to - static_cast<unsigned char*>(values)) / Bytes;
}

template <int Bytes>
void unpack_registers(const void* values, std::int64_t n, const std::uint32_t* words, void* out) {
  using Mask = typename Lanes<Bytes>::Mask;
  const auto* from = static_cast<const unsigned char*>(values);
  auto* to = static_cast<unsigned char*>(out);
  for_each_register<Bytes>(n, words, [&](std::int64_t i, Mask lanes, Mask kept) {
    const int number = __builtin_popcountll(kept);
    const __m512i items = Lanes<Bytes>::load(Mask(first_bits(number)), from);
    Lanes<Bytes>::store(to + i * Bytes, lanes, Squeeze<Bytes>::expand(kept, items));
    from += number * Bytes;
  });
}

}  // namespace
}  // namespace prunecell::cpu
