// The comparison of a tile with a bracket, and the collection of its candidates. Included by kernels.cpp, after the
// comparison of 64 weights (lanes_*.hpp).
#pragma once

#include "cpu/simd/classes.hpp"
#include "cpu/simd/kernels.hpp"
#include "semantics/semantics.hpp"

#include <cstddef>
#include <cstdint>

namespace prunecell::cpu {
namespace {

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
inline constexpr bool made_keys_together<semantics::Float16> = true;

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

}  // namespace
}  // namespace prunecell::cpu
