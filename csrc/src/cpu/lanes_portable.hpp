// The comparison of 64 weights with a bracket, as a loop: see lanes_avx512.hpp.
#pragma once

#include "../semantics.hpp"
#include "sides.hpp"

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

/// Compares the `Significant` bits of 64 items with two bounds, both inclusive: a bit per item.
template <class Item, Item Significant>
class Bracket {
 public:
  Bracket(std::uint64_t first, std::uint64_t last) : first_(Item(first)), last_(Item(last)) {}

  Sides operator()(const unsigned char* items) const {
    Item keys[64];
    __builtin_memcpy(keys, items, sizeof keys);
    std::uint64_t reached = 0, above = 0;
#pragma omp simd reduction(| : reached, above)
    for (int j = 0; j < 64; ++j) {
      const Item key = keys[j] & Significant;
      reached |= std::uint64_t(key >= first_) << j;
      above |= std::uint64_t(key > last_) << j;
    }
    return {reached, above};
  }

 private:
  Item first_, last_;
};

}  // namespace
}  // namespace prunecell::cpu
