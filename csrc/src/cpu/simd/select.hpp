// Masks applied, weights packed and unpacked, item by item where no instruction does more. Included by kernels.cpp.
#pragma once

#include "cpu/simd/words.hpp"
#if defined(__AVX512BW__)
#include "cpu/simd/select_avx512.hpp"
#endif
#ifdef __AVX512VBMI2__
#include "cpu/simd/compress_avx512.hpp"
#endif

#include <cstddef>
#include <cstdint>

namespace prunecell::cpu {
namespace {

/// Bit j of 32 bits, as an item: of 16 bits those of each half.
template <class Bits>
struct SingleBits {
  Bits bit[32] = {};
  constexpr SingleBits() {
    for (int j = 0; j < 32; ++j) bit[j] = Bits(Bits(1) << (j % (8 * int(sizeof(Bits)))));
  }
};
template <class Bits>
[[maybe_unused]] constexpr SingleBits<Bits> single_bits;

/// All ones where bit j of `word` is 1, else 0. By comparison with a table, since vectors of not every processor shift
/// each lane by another number.
template <class Bits>
inline Bits spread(std::uint32_t word, int j) {
  const auto part = Bits(sizeof(Bits) == 2 && j >= 16 ? word >> 16 : word);
  return Bits((part & single_bits<Bits>.bit[j]) == 0 ? 0 : ~Bits(0));
}

template <class Bits>
inline Bits load(const void* items, std::int64_t i) {
  Bits bits;
  __builtin_memcpy(&bits, static_cast<const unsigned char*>(items) + i * std::int64_t(sizeof bits), sizeof bits);
  return bits;
}

template <class Bits>
inline void store(void* items, std::int64_t i, Bits bits) {
  __builtin_memcpy(static_cast<unsigned char*>(items) + i * std::int64_t(sizeof bits), &bits, sizeof bits);
}

template <class Bits>
void select(const void* weights, const void* otherwise, std::int64_t n, const std::uint32_t* words, void* out) {
#ifdef __AVX512BW__
  select_registers<sizeof(Bits)>(weights, otherwise, n, words, out);
#else
  const auto run = [=](std::int64_t base, int count, std::uint32_t word) {
    Bits chosen[32];  // read before written, for the compiler as well: `out` may alias
    if (otherwise) {
      for (int j = 0; j < count; ++j) {
        const Bits keep = spread<Bits>(word, j);
        chosen[j] = Bits((load<Bits>(weights, base + j) & keep) | (load<Bits>(otherwise, base + j) & ~keep));
      }
    } else {
      for (int j = 0; j < count; ++j) chosen[j] = Bits(load<Bits>(weights, base + j) & spread<Bits>(word, j));
    }
    for (int j = 0; j < count; ++j) store(out, base + j, chosen[j]);
  };
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) run(i, 32, words[i / 32]);
  if (i < n) run(i, int(n - i), words[i / 32]);
#endif
}

/// body(index) for each kept weight, in order: bits are found, not tried, so that sparse masks cost little.
template <class Body>
[[maybe_unused]] inline void for_each_kept(std::int64_t n, const std::uint32_t* words, Body&& body) {
  for (std::int64_t base = 0; base < n; base += 32)
    for (std::uint32_t word = words[base / 32]; word != 0; word &= word - 1) body(base + __builtin_ctz(word));
}

template <class Bits>
std::int64_t pack(const void* weights, std::int64_t n, const std::uint32_t* words, void* values) {
#ifdef __AVX512VBMI2__
  return pack_registers<sizeof(Bits)>(weights, n, words, values);
#else
  std::int64_t found = 0;
  for_each_kept(n, words, [&](std::int64_t i) { store(values, found++, load<Bits>(weights, i)); });
  return found;
#endif
}

template <class Bits>
void unpack(const void* values, std::int64_t n, const std::uint32_t* words, void* out) {
#ifdef __AVX512VBMI2__
  unpack_registers<sizeof(Bits)>(values, n, words, out);
#else
  __builtin_memset(out, 0, std::size_t(n) * sizeof(Bits));
  std::int64_t taken = 0;
  for_each_kept(n, words, [&](std::int64_t i) { store(out, i, load<Bits>(values, taken++)); });
#endif
}

template <class Bits>
bool clear_pruned(void* weights, std::int64_t n, const std::uint32_t* words) {
#ifdef __AVX512BW__
  return clear_pruned_registers<sizeof(Bits)>(weights, n, words);
#else
  auto* items = static_cast<unsigned char*>(weights);
  bool changed = false;
  for_each_word(
      n, [&](std::int64_t base, int count) __attribute__((always_inline)) {
        const std::uint32_t word = words[base / 32];
        Bits chosen[32], pruned = 0;
        for (int j = 0; j < count; ++j) {
          const Bits item = load<Bits>(items, base + j), keep = spread<Bits>(word, j);
          chosen[j] = Bits(item & keep);
          pruned |= Bits(item & ~keep);
        }
        if (pruned == 0) return;
        for (int j = 0; j < count; ++j) store(items, base + j, chosen[j]);
        changed = true;
      });
  return changed;
#endif
}

}  // namespace
}  // namespace prunecell::cpu
