#include "cpu/apply_masks.hpp"
#include "api/backend.hpp"
#include "api/bits.hpp"
#include "cpu/memory/memory_order.hpp"

namespace prunecell::cpu {

bool select_tile(const ApplyJob& job, const Tile& tile, Scratch& scratch) {
  const std::uint32_t* words = job.mask.words + tile.first / 32;
  const int size = by_size(job.weights.dtype);
  void* weights = read_tile(job.weights, tile.first, tile.size, scratch.weights);
  const void* otherwise =
      job.otherwise.data ? read_tile(job.otherwise, tile.first, tile.size, scratch.otherwise) : nullptr;
  if (!job.out.data && !otherwise) {
    const bool changed = kernels().clear_pruned[size](weights, tile.size, words);
    if (changed) finish_tile(job.weights, tile.first, tile.size, scratch.weights);
    return changed;
  }
  const TensorView& destination = job.out.data ? job.out : job.weights;
  void* out = open_tile(destination, tile.first, scratch.out);
  kernels().select[size](weights, otherwise, tile.size, words, out);
  finish_tile(destination, tile.first, tile.size, scratch.out);
  return !job.out.data;
}

void apply_masks(const Context& context, std::span<const ApplyJob> given, std::span<Result> results) {
  const ApplyInMemoryOrder in_order(context, given);
  const std::span<const ApplyJob> jobs = in_order.jobs();
  for_each_tile(context, arrays_of(jobs, &ApplyJob::weights), results, [&](const Tile& tile, Scratch& scratch) {
    const ApplyJob& job = jobs[tile.job];
    const std::int64_t ones = count_ones(job.mask.words + tile.first / 32, word_count(tile.size));
    return TileResult{.zeros = tile.size - ones, .changed = select_tile(job, tile, scratch)};
  });
}

}  // namespace prunecell::cpu
