// One pass over all tiles of all jobs, and the select that it may end with.
#pragma once

#include "api/bits.hpp"
#include "cpu/memory/tiles.hpp"

#include <prunecell/ops.hpp>

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace prunecell::cpu {

/// Index of an item size 2, 4, 8 in the tables of Kernels.
inline int by_size(DType dtype) { return std::countr_zero(item_size(dtype)) - 1; }

/// Buffers of one thread.
struct Scratch {
  TileBuffer weights, otherwise, out;
};

/// What a tile adds to the result of its job.
struct alignas(thread_alignment) TileResult {
  std::int64_t zeros = 0;
  bool changed = false;
};

/// Applies the mask, as it stands, to one tile. Returns whether a weight in place was not masked yet.
bool select_tile(const ApplyJob& job, const Tile& tile, Scratch& scratch);

/// One tensor of each job. Cut into pages of the widest type, but into whole tiles where some are to be gathered or
/// scattered, which takes the longer the smaller they are. `tensor`: from a job to its TensorView.
template <class Job, class Tensor>
Arrays arrays_of(std::span<const Job> jobs, Tensor&& tensor) {
  Arrays arrays{.page = tile_size};
  bool in_order = true;
  for (const Job& job : jobs) {
    const TensorView& view = std::invoke(tensor, job);
    arrays.sizes.push_back(view.size);
    arrays.page = std::min(arrays.page, page_of(view.dtype));
    in_order &= view.layout.row_major();
  }
  if (!in_order) arrays.page = tile_size;
  return arrays;
}

/// body(tile, scratch) -> TileResult for all tiles of arrays, one per job, in one parallel region; sums go to
/// `results`.
template <class Body>
void for_each_tile(const Context& context, Arrays arrays, std::span<Result> results, Body&& body) {
  const TileList tiles(std::move(arrays));
  const int threads = tiles.threads(context.threads);
  const auto scratch = std::make_unique_for_overwrite<Scratch[]>(std::size_t(threads));
  std::vector<TileResult> sums{std::size_t(threads), TileResult{}};  // for the current job of each thread
  tiles.run(
      threads,
      [&](const Tile& tile, int thread) {
        const TileResult done = body(tile, scratch[std::size_t(thread)]);
        sums[std::size_t(thread)].zeros += done.zeros;
        sums[std::size_t(thread)].changed |= done.changed;
      },
      [&](std::size_t job, int thread) {
        const TileResult sum = std::exchange(sums[std::size_t(thread)], {});
        results[job].zeros += sum.zeros;
        results[job].changed |= sum.changed;
      });
}

}  // namespace prunecell::cpu
