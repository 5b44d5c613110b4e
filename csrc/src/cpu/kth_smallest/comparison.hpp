// The weights of one tile as a selection compares them: items of their own type, or numbers drawn.
#pragma once

#include "cpu/memory/key_tile.hpp"
#include "fillers/selection.hpp"
#include "semantics/key_bracket.hpp"
#include "semantics/semantics.hpp"

namespace prunecell::cpu {

/// A bracket of keys, and the last key of its lower level, in terms of the items that Kernels::classify compares.
struct Comparison {
  int item_kind;
  Bounds bounds;
};

template <class Weight>
Comparison magnitude_comparison(DType dtype, const KeyBracket& bracket, std::uint32_t middle) {
  const auto largest = [](std::uint32_t key) { return semantics::largest_within<Weight>(key); };
  return {int(dtype),
          {bracket.first == 0 ? 0 : largest(bracket.first - 1) + 1, largest(middle), largest(bracket.last)}};
}

inline Comparison comparison_of(const Ranked& ranked, const KeyBracket& bracket, std::uint32_t middle = 0) {
  if (ranked.selection.draws_numbers()) return {key_items, {bracket.first, 0, bracket.last}};
  switch (ranked.weights.dtype) {
    case DType::float16: return magnitude_comparison<semantics::Float16>(DType::float16, bracket, middle);
    case DType::bfloat16: return magnitude_comparison<semantics::BFloat16>(DType::bfloat16, bracket, middle);
    case DType::float32: return magnitude_comparison<float>(DType::float32, bracket, middle);
    case DType::float64: break;
  }
  return magnitude_comparison<double>(DType::float64, bracket, middle);
}

/// The items of a tile: the weights where they lie, or numbers drawn into `buffer`.
inline const void* read_items(const Ranked& ranked, const Tile& tile, KeyTile& buffer) {
  if (!ranked.selection.draws_numbers()) return item_at(ranked.weights, tile.first);
  draw_numbers(ranked.selection, tile, buffer.keys);
  return buffer.keys;
}

}  // namespace prunecell::cpu
