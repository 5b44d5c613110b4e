// The keys of one tile, as the fillers compare them. Weights lie in the order of their mask, see memory_order.hpp.
#pragma once

#include "cpu/memory/tiles.hpp"

#include <prunecell/ops.hpp>

namespace prunecell::cpu {

struct KeyTile {
  alignas(64) std::uint32_t keys[tile_size];
};

/// Magnitude keys; weights that `old` prunes have key 0.
inline void read_magnitudes(const TensorView& weights, MaskView old, const Tile& tile, KeyTile& out) {
  const Kernels& k = kernels();
  k.magnitude_keys[int(weights.dtype)](item_at(weights, tile.first), tile.size, out.keys);
  if (old.words) k.replace_pruned(out.keys, tile.size, old.words + tile.first / 32, 0);
}

/// The Random filler's keys; weights that `old` prunes have the largest key, and never win against a kept one.
inline void read_random(const Rule& rule, MaskView old, const Tile& tile, std::uint32_t* keys) {
  const Kernels& k = kernels();
  k.random_keys(tile.first, tile.size, rule.seed, rule.tensor, rule.rise, keys);
  if (old.words) k.replace_pruned(keys, tile.size, old.words + tile.first / 32, UINT32_MAX);
}

inline void read_keys(const Job& job, const Tile& tile, KeyTile& out) {
  if (job.rule.filler == Filler::random)
    read_random(job.rule, job.old, tile, out.keys);
  else
    read_magnitudes(job.weights, job.old, tile, out);
}

}  // namespace prunecell::cpu
