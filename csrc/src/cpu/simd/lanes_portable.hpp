// The comparison of 64 weights with a bracket, as a loop: see lanes_avx512.hpp.
#pragma once

#include "cpu/simd/classes.hpp"
#include "semantics/semantics.hpp"

#include <cstdint>

namespace prunecell::cpu {
namespace {

/// One word of 32 bits for semantics::philox(): where more fit side by side, see lanes_avx512.hpp.
struct Words {
  static constexpr int count = 1;

  explicit Words(std::uint32_t one) : word(one) {}
  static Words low_of(std::uint64_t number) { return Words(std::uint32_t(number)); }
  static Words high_of(std::uint64_t number) { return Words(std::uint32_t(number >> 32)); }

  std::uint32_t word;
};
inline Words operator^(Words a, Words b) { return Words(a.word ^ b.word); }
inline semantics::Product<Words> product(Words a, Words b) {
  const auto halves = semantics::product(a.word, b.word);
  return {Words(halves.high), Words(halves.low)};
}
inline void store(std::uint32_t* to, const semantics::PhiloxBlock<Words>& blocks) {
  for (int w = 0; w < 4; ++w) to[w] = blocks.word[w].word;
}

/// Bit j = byte j, which is 0 or 1: vectors of any processor make bytes of comparisons, but not bits.
inline std::uint64_t pack_bytes(const std::uint8_t (&bytes)[64]) {
  std::uint64_t bits = 0;
  for (int j = 0; j < 64; j += 8) {
    std::uint64_t eight;
    __builtin_memcpy(&eight, bytes + j, sizeof eight);
    bits |= (eight * 0x0102040810204080u >> 56) << j;  // bit 8 * k of eight times 2^(56 - 7 * k)
  }
  return bits;
}

/// Compares the `Significant` bits of 64 items with two bounds, both inclusive: a bit per item.
template <class Item, Item Significant>
class Bracket {
 public:
  Bracket(std::uint64_t first, std::uint64_t last) : first_(Item(first)), last_(Item(last)) {}

  Classes operator()(const unsigned char* items) const {
    Item keys[64];
    __builtin_memcpy(keys, items, sizeof keys);
    std::uint8_t not_rejected[64], kept[64];
    for (int j = 0; j < 64; ++j) {
      const Item key = keys[j] & Significant;
      not_rejected[j] = key >= first_;
      kept[j] = key > last_;
    }
    return {pack_bytes(not_rejected), pack_bytes(kept)};
  }

 private:
  Item first_, last_;
};

}  // namespace
}  // namespace prunecell::cpu
