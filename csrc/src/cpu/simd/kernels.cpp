// Compiled once per instruction set, each time with other flags and another PRUNECELL_ISA. Everything but the
// table has internal linkage and no library template is instantiated here: an inline function shared
// with another object could be linked in its AVX-512 form and run where there is none.
#include "cpu/simd/kernels.hpp"
#include "cpu/simd/processor.hpp"
#include "semantics/semantics.hpp"
#if defined(__AVX512BW__)
#include "cpu/simd/select_avx512.hpp"
#elif defined(__AVX2__)
#include "cpu/simd/lanes_avx2.hpp"
#else
#include "cpu/simd/lanes_portable.hpp"
#endif
#ifdef __AVX512VBMI2__
#include "cpu/simd/compress_avx512.hpp"
#endif
#include "cpu/simd/transpose_bits.hpp"

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
  constexpr int run = 4 * Words::count;
  const auto generate = [&](std::int64_t i, std::uint32_t* to) {
    const auto block = std::uint64_t(first + i) / 4;
    store(to, semantics::philox(Words::low_of(block), Words::high_of(block), tensor, rise, seed));
  };
  std::int64_t i = 0;
  for (; i + run <= n; i += run) generate(i, keys + i);
  if (i == n) return;
  std::uint32_t rest[run];
  generate(i, rest);
  __builtin_memcpy(keys + i, rest, std::size_t(n - i) * sizeof *keys);
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

template <int bytes>
void prefetch(const unsigned char* from) {
  constexpr int line = 64;
  for (int at = 0; at < bytes; at += line) __builtin_prefetch(from + at);
}

template <class Item, Item Significant, Collect collected_class>
ClassCounts classify(const void* items, const void* next, std::int64_t n, const Bounds& bounds,
                     const std::uint32_t* old, std::uint32_t* kept, CollectedTile& collected) {
  constexpr int run = 64, run_bytes = run * int(sizeof(Item));
  const auto* from = static_cast<const unsigned char*>(items);
  const unsigned char* const fetching = next ? from + 4096 : from;  // hardware fetches the rest
  const Bracket<Item, Significant> bracket(bounds.first, bounds.last), upper_part(bounds.middle + 1, bounds.last);
  ClassCounts counts;
  std::int64_t runs = 0;
  const auto finish = [&](std::int64_t i, Classes classes, std::uint64_t upper, std::uint64_t counted,
                          std::size_t word_bytes) {
    if (old) {
      std::uint64_t kept_before = 0;
      __builtin_memcpy(&kept_before, old + i / 32, word_bytes);
      counted &= kept_before;
    }
    classes.not_rejected &= counted;
    classes.kept &= counted;
    upper &= counted;
    __builtin_memcpy(kept + i / 32, &classes.kept, word_bytes);
    counts.not_rejected += __builtin_popcountll(classes.not_rejected);
    counts.kept += __builtin_popcountll(classes.kept);
    if constexpr (collected_class == Collect::upper_level) counts.kept_with_upper += __builtin_popcountll(upper);
    if constexpr (collected_class == Collect::nothing) return;
    const std::uint64_t from_first = collected_class == Collect::upper_level ? upper : classes.not_rejected;
    collected.run[runs] = std::uint16_t(i / run);  // without a branch, which could not be predicted
    collected.bits[runs] = from_first & ~classes.kept;
    runs += from_first != classes.kept;
  };
  const auto upper_of = [&](const unsigned char* at) {
    return collected_class == Collect::upper_level ? upper_part(at).not_rejected : std::uint64_t(0);
  };
  const std::int64_t whole = n / run * run;
  for (std::int64_t i = 0; i < whole; i += run) {
    const unsigned char* at = from + i * std::int64_t(sizeof(Item));
    if (at < fetching) prefetch<run_bytes>(static_cast<const unsigned char*>(next) + (at - from));
    finish(i, bracket(at), upper_of(at), ~std::uint64_t(0), 8);
  }
  if (const int rest = int(n - whole); rest > 0) {
    unsigned char padded[run_bytes] = {};
    __builtin_memcpy(padded, from + whole * std::int64_t(sizeof(Item)), std::size_t(rest) * sizeof(Item));
    finish(whole, bracket(padded), upper_of(padded), first_bits(rest), rest > 32 ? 8 : 4);
  }
  collected.count = runs;
  return counts;
}

inline std::uint32_t key_of(std::uint32_t key) { return key; }
template <class Weight>
inline std::uint32_t key_of(Weight weight) {
  return semantics::key(weight);
}

/// Items whose bits are collected first, to be made keys several at a time: alone one takes a dozen instructions.
template <class Item>
inline constexpr bool made_keys_together = false;
template <>
inline constexpr bool made_keys_together<Float16> = true;

template <class Item>
std::int64_t collect(const void* items, const CollectedTile& collected, std::int64_t base, std::uint32_t* keys,
                     std::int64_t* positions) {
  const auto* from = static_cast<const unsigned char*>(items);
  std::int64_t found = 0;
  for (std::int64_t r = 0; r < collected.count; ++r) {
    const std::int64_t first = collected.run[r] * 64;
    const auto write = [&](std::int64_t at, int bit) __attribute__((always_inline)) {
      Item item;
      __builtin_memcpy(&item, from + (first + bit) * std::int64_t(sizeof item), sizeof item);
      if constexpr (made_keys_together<Item>)
        keys[at] = item.bits;
      else
        keys[at] = key_of(item);
      positions[at] = base + first + bit;
    };
    // The last and the first in any case, which most often are all: a branch on their number is mispredicted.
    std::uint64_t bits = collected.bits[r];
    const int count = __builtin_popcountll(bits), last = 63 - __builtin_clzll(bits);
    write(found + 1, last);
    write(found, __builtin_ctzll(bits));
    std::int64_t at = found + 1;
    if (count > 2)
      for (bits &= bits - 1; bits != 0; bits &= bits - 1) write(at++, __builtin_ctzll(bits));
    found += count;
  }
  if constexpr (made_keys_together<Item>)
    for (std::int64_t k = 0; k < found; k += collect_slack)
      for (std::int64_t j = k; j < k + collect_slack; ++j) keys[j] = key_of(Item{std::uint16_t(keys[j])});
  return found;
}

std::int64_t count_ones(const std::uint32_t* words, std::int64_t count) {
  std::int64_t ones = 0, w = 0;
  for (; w + 2 <= count; w += 2) {
    std::uint64_t two;
    __builtin_memcpy(&two, words + w, sizeof two);
    ones += __builtin_popcountll(two);
  }
  return w < count ? ones + __builtin_popcount(words[w]) : ones;
}

std::int64_t count_above(const std::uint32_t* keys, std::int64_t n, std::uint32_t limit) {
  std::int64_t count = 0;
  for (std::int64_t block = 0; block < n; block += tile_size) {
    const std::int64_t end = n - block < tile_size ? n : block + tile_size;
    std::uint32_t above = 0;
    for (std::int64_t i = block; i < end; ++i) above += keys[i] > limit;
    count += above;
  }
  return count;
}

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

#define PRUNECELL_JOIN(a, b) a##b
#define PRUNECELL_TABLE(isa) PRUNECELL_JOIN(kernels_, isa)
#define PRUNECELL_SUPPORTED(isa) PRUNECELL_JOIN(supports_, isa)
#define PRUNECELL_TEXT(isa) #isa
#define PRUNECELL_NAME(isa) PRUNECELL_TEXT(isa)

#define PRUNECELL_BY_ITEM(collected)                                                                   \
  {                                                                                                    \
    classify<std::uint16_t, 0x7fff, collected>, classify<std::uint16_t, 0x7fff, collected>,            \
        classify<std::uint32_t, 0x7fffffff, collected>, classify<std::uint64_t, INT64_MAX, collected>, \
        classify<std::uint32_t, UINT32_MAX, collected>                                                 \
  }

extern const Kernels PRUNECELL_TABLE(PRUNECELL_ISA);
const Kernels PRUNECELL_TABLE(PRUNECELL_ISA) = {
    .isa = PRUNECELL_NAME(PRUNECELL_ISA),
    .supported = PRUNECELL_SUPPORTED(PRUNECELL_ISA),
    .magnitude_keys = {magnitude_keys<Float16>, magnitude_keys<BFloat16>, magnitude_keys<float>,
                       magnitude_keys<double>},
    .random_keys = random_keys,
    .classify = {PRUNECELL_BY_ITEM(Collect::nothing), PRUNECELL_BY_ITEM(Collect::candidates),
                 PRUNECELL_BY_ITEM(Collect::upper_level)},
    .collect = {collect<Float16>, collect<BFloat16>, collect<float>, collect<double>, collect<std::uint32_t>},
    .count_above = count_above,
    .count_ones = count_ones,
    .replace_pruned = replace_pruned,
    .split = split,
    .select = {select<std::uint16_t>, select<std::uint32_t>, select<std::uint64_t>},
    .pack = {pack<std::uint16_t>, pack<std::uint32_t>, pack<std::uint64_t>},
    .unpack = {unpack<std::uint16_t>, unpack<std::uint32_t>, unpack<std::uint64_t>},
    .transpose_bits = transpose_bits,
    .clear_pruned = {clear_pruned<std::uint16_t>, clear_pruned<std::uint32_t>, clear_pruned<std::uint64_t>},
};

}  // namespace prunecell::cpu
