// Compiled once per instruction set, each time with other flags and another PRUNECELL_ISA. Everything but the
// table has internal linkage and no library template is instantiated here: an inline function shared
// with another object could be linked in its AVX-512 form and run where there is none.
#include "kernels.hpp"
#include "../semantics.hpp"
#ifdef __AVX512VBMI2__
#include "compress_avx512.hpp"
#endif

#include <cstddef>

namespace prunecell::cpu {
namespace {

using semantics::BFloat16;
using semantics::Float16;

template <class Weight>
void magnitude_keys(const void* weights, std::int64_t n, std::uint32_t* keys) {
  const auto* bytes = static_cast<const unsigned char*>(weights);
  for (std::int64_t i = 0; i < n; ++i) {
    Weight w;
    __builtin_memcpy(&w, bytes + i * std::int64_t(sizeof w), sizeof w);  // any alignment
    keys[i] = semantics::key(w);
  }
}

void random_keys(std::int64_t first, std::int64_t n, std::uint64_t seed, std::uint32_t tensor, std::uint32_t rise,
                 std::uint32_t* keys) {
  const std::int64_t whole = n / 4;
  const std::uint64_t block = std::uint64_t(first) / 4;
  for (std::int64_t b = 0; b < whole; ++b) {
    const auto numbers = semantics::philox(block + std::uint64_t(b), tensor, rise, seed);
    for (int w = 0; w < 4; ++w) keys[4 * b + w] = numbers.word[w];
  }
  const auto numbers = semantics::philox(block + std::uint64_t(whole), tensor, rise, seed);
  for (std::int64_t i = 4 * whole; i < n; ++i) keys[i] = numbers.word[i - 4 * whole];
}

void replace_pruned(std::uint32_t* keys, std::int64_t n, const std::uint32_t* words, std::uint32_t value) {
  const auto replace = [=](std::int64_t base, int count, std::uint32_t word) {
    for (int j = 0; j < count; ++j) keys[base + j] = word >> j & 1u ? keys[base + j] : value;
  };
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) replace(i, 32, words[i / 32]);
  if (i < n) replace(i, int(n - i), words[i / 32]);
}

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

std::int64_t split(const std::uint32_t* keys, std::int64_t n, std::uint32_t first, std::uint32_t last,
                   std::uint32_t* inside, std::int64_t& below) {
  const std::uint32_t width = last - first;
  std::uint32_t smaller = 0;
  for (std::int64_t i = 0; i < n; ++i) smaller += keys[i] < first;
  below += smaller;

  std::uint32_t hits[tile_size / 32];  // all of them first: the loop that finds them stays free of branches
  for_each_word(
      n, [&](std::int64_t i, int count) __attribute__((always_inline)) {
        hits[i / 32] = pack_bits(keys + i, count, [=](std::uint32_t key) { return key - first <= width; });
      });
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < n; i += 32) {
    std::uint32_t word = hits[i / 32];
    for (; word != 0; word &= word - 1) inside[found++] = keys[i + __builtin_ctz(word)];
  }
  return found;
}

std::int64_t pack_above(const std::uint32_t* keys, std::int64_t n, std::uint32_t limit, std::uint32_t* words) {
  std::int64_t ones = 0;
  for_each_word(
      n, [&](std::int64_t i, int count) __attribute__((always_inline)) {
        words[i / 32] = pack_bits(keys + i, count, [=](std::uint32_t key) { return key > limit; });
        ones += __builtin_popcount(words[i / 32]);
      });
  return ones;
}

/// All ones where bit j of `word` is 1, else 0. For 16-bit items a comparison, since there are no
/// per-lane 16-bit shifts before AVX-512.
template <class Bits>
inline Bits spread(std::uint32_t word, int j) {
  if constexpr (sizeof(Bits) == 2) {
    const auto half = Bits(j < 16 ? word : word >> 16);
    const auto bit = Bits(1u << (j % 16));
    return Bits((half & bit) == bit ? 0xffff : 0);
  } else {
    return Bits(0) - Bits(word >> j & 1u);
  }
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
  const auto pruned_bits = [=](std::int64_t base, int count, std::uint32_t word) {
    Bits found = 0;
    for (int j = 0; j < count; ++j) found |= Bits(load<Bits>(weights, base + j) & ~spread<Bits>(word, j));
    return found;
  };
  Bits found = 0;
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) found |= pruned_bits(i, 32, words[i / 32]);
  if (i < n) found |= pruned_bits(i, int(n - i), words[i / 32]);
  if (found == 0) return false;
  select<Bits>(weights, nullptr, n, words, weights);
  return true;
}

}  // namespace

#define PRUNECELL_JOIN(a, b) a##b
#define PRUNECELL_TABLE(isa) PRUNECELL_JOIN(kernels_, isa)
#define PRUNECELL_TEXT(isa) #isa
#define PRUNECELL_NAME(isa) PRUNECELL_TEXT(isa)

extern const Kernels PRUNECELL_TABLE(PRUNECELL_ISA);
const Kernels PRUNECELL_TABLE(PRUNECELL_ISA) = {
    .isa = PRUNECELL_NAME(PRUNECELL_ISA),
    .supported =
        [] {
#if defined(PRUNECELL_ISA_EXTENSION)
          return __builtin_cpu_supports(PRUNECELL_ISA_FEATURE) && __builtin_cpu_supports(PRUNECELL_ISA_EXTENSION);
#elif defined(PRUNECELL_ISA_FEATURE)
          return __builtin_cpu_supports(PRUNECELL_ISA_FEATURE) != 0;
#else
          return true;
#endif
        },
    .magnitude_keys = {magnitude_keys<Float16>, magnitude_keys<BFloat16>, magnitude_keys<float>,
                       magnitude_keys<double>},
    .random_keys = random_keys,
    .replace_pruned = replace_pruned,
    .split = split,
    .pack_above = pack_above,
    .select = {select<std::uint16_t>, select<std::uint32_t>, select<std::uint64_t>},
    .pack = {pack<std::uint16_t>, pack<std::uint32_t>, pack<std::uint64_t>},
    .unpack = {unpack<std::uint16_t>, unpack<std::uint32_t>, unpack<std::uint64_t>},
    .clear_pruned = {clear_pruned<std::uint16_t>, clear_pruned<std::uint32_t>, clear_pruned<std::uint64_t>},
};

}  // namespace prunecell::cpu
