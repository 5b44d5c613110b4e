// Running a pass over all tiles of all jobs, and the select that such a pass may end with.
#pragma once

#include "../bits.hpp"
#include "tiles.hpp"

#include <prunecell/ops.hpp>

#include <bit>
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

/// What a pass adds to the results of a job.
struct alignas(thread_alignment) TileResult {
  std::int64_t zeros = 0;
  bool changed = false;
};

/// Applies the mask, as it stands, to one tile. Returns whether a weight in place was not masked yet.
bool select_tile(const Job& job, const Tile& tile, Scratch& scratch);

/// Sizes of the jobs' dense tensors, seen as their weights or as their masks.
inline std::vector<std::int64_t> weight_sizes(std::span<const Job> jobs) {
  std::vector<std::int64_t> sizes;
  for (const Job& job : jobs) sizes.push_back(job.weights.size);
  return sizes;
}
inline std::vector<std::int64_t> mask_sizes(std::span<const Job> jobs) {
  std::vector<std::int64_t> sizes;
  for (const Job& job : jobs) sizes.push_back(job.mask.size);
  return sizes;
}
inline std::vector<std::int64_t> word_counts(std::span<const Job> jobs) {
  std::vector<std::int64_t> counts;
  for (const Job& job : jobs) counts.push_back(word_count(job.mask.size));
  return counts;
}

/// body(tile, scratch) -> TileResult for all tiles of arrays of these sizes, one per job, in one parallel region;
/// sums go to `results`. An item of the arrays stands for so many weights.
template <class Body>
void for_each_tile(const Context& context, std::vector<std::int64_t> sizes, std::span<Result> results, Body&& body,
                   std::int64_t weights_per_item = 1) {
  const TileList tiles(std::move(sizes), weights_per_item);
  const int threads = tiles.threads(context.threads);
  const auto scratch = std::make_unique_for_overwrite<Scratch[]>(std::size_t(threads));
  std::vector<TileResult> sums{std::size_t(threads), TileResult{}};  // of a thread's current job
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
