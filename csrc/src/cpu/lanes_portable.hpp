// The comparison of 64 weights with a bracket, as a loop: see lanes_avx512.hpp.
#pragma once

#include "sides.hpp"

#include <cstdint>

namespace prunecell::cpu {
namespace {

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
