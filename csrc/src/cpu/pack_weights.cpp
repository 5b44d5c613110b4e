// Packing and unpacking. Where a tile's values begin is known before the pass: the masks' bits are counted first,
// which reads 1/32 of what the pass moves at the least.
#include "api/backend.hpp"
#include "api/bits.hpp"
#include "cpu/apply_masks.hpp"

#include <cstddef>

namespace prunecell::cpu {
namespace {

/// For each job, the number of kept weights before each multiple of the smallest page.
using Offsets = std::vector<std::vector<std::int64_t>>;

Offsets offsets_of(std::span<const Job> jobs, std::span<Result> results) {
  Offsets offsets;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const MaskView& mask = jobs[j].mask;
    std::vector<std::int64_t>& starts = offsets.emplace_back();
    std::int64_t kept = 0;
    for (std::int64_t first = 0; first < mask.size; first += smallest_page) {
      starts.push_back(kept);
      kept += count_ones(mask.words + first / 32, word_count(std::min(smallest_page, mask.size - first)));
    }
    results[j].zeros = mask.size - kept;
  }
  return offsets;
}

/// body(job, tile, first value of the tile, scratch) for all tiles of the dense tensors.
template <class Body>
void for_each_packed_tile(const Context& context, std::span<const Job> jobs, TensorView Job::*dense,
                          std::span<Result> results, Body&& body) {
  const Offsets offsets = offsets_of(jobs, results);
  for_each_tile(context, arrays_of(jobs, dense), results, [&](const Tile& tile, Scratch& scratch) {
    body(jobs[tile.job], tile, offsets[tile.job][std::size_t(tile.first / smallest_page)], scratch);
    return TileResult{};
  });
}

}  // namespace

void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  for_each_packed_tile(context, jobs, &Job::weights, results,
                       [](const Job& job, const Tile& tile, std::int64_t start, Scratch& scratch) {
                         const void* weights = read_tile(job.weights, tile.first, tile.size, scratch.weights);
                         const std::uint32_t* words = job.mask.words + tile.first / 32;
                         kernels().pack[by_size(job.weights.dtype)](weights, tile.size, words, item_at(job.out, start));
                       });
}

void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  for_each_packed_tile(context, jobs, &Job::out, results,
                       [](const Job& job, const Tile& tile, std::int64_t start, Scratch& scratch) {
                         const std::uint32_t* words = job.mask.words + tile.first / 32;
                         void* out = open_tile(job.out, tile.first, scratch.out);
                         kernels().unpack[by_size(job.out.dtype)](item_at(job.weights, start), tile.size, words, out);
                         finish_tile(job.out, tile.first, tile.size, scratch.out);
                       });
}

}  // namespace prunecell::cpu
