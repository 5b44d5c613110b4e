// The keys of one tile. Weights lie in the order of their mask, see memory_order.hpp.
#pragma once

#include "cpu/memory/tiles.hpp"
#include "fillers/selection.hpp"

namespace prunecell::cpu {

struct KeyTile {
  alignas(64) std::uint32_t keys[tile_size];
};

/// Numbers of the weights of a tile, whatever their mask.
inline void draw_numbers(const Selection& selection, const Tile& tile, std::uint32_t* keys) {
  kernels().random_keys(tile.first, tile.size, selection.seed, selection.tensor, selection.rise, keys);
}

/// Keys of a tile. Weights that the old mask prunes rank first where magnitudes are ranked (key 0), and last where
/// numbers are (the largest key).
inline void read_keys(const Ranked& ranked, const Tile& tile, KeyTile& out) {
  const bool numbers = ranked.selection.draws_numbers();
  if (numbers)
    draw_numbers(ranked.selection, tile, out.keys);
  else
    kernels().magnitude_keys[int(ranked.weights.dtype)](item_at(ranked.weights, tile.first), tile.size, out.keys);
  if (ranked.old.words)
    kernels().replace_pruned(out.keys, tile.size, ranked.old.words + tile.first / 32, numbers ? UINT32_MAX : 0);
}

}  // namespace prunecell::cpu
