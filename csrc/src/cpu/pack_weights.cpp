// Packing and unpacking. The masks' bits are counted first, so that each tile knows where its values begin: this reads
// at most 1/32 of what is moved.
#include "api/backend.hpp"
#include "api/bits.hpp"
#include "cpu/apply_masks.hpp"

#include <cstddef>

namespace prunecell::cpu {
namespace {

/// For each job, the number of kept weights before each multiple of the smallest page.
using Offsets = std::vector<std::vector<std::int64_t>>;

Offsets offsets_of(std::span<const PackJob> jobs, std::span<Result> results) {
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

/// body(dense tensor, tile, its mask words, its first value, scratch) for all tiles of the dense tensors.
template <class Body>
void for_each_packed_tile(const Context& context, std::span<const PackJob> jobs, std::span<Result> results,
                          Body&& body) {
  const Offsets offsets = offsets_of(jobs, results);
  for_each_tile(context, arrays_of(jobs, &PackJob::dense), results, [&](const Tile& tile, Scratch& scratch) {
    const PackJob& job = jobs[tile.job];
    const std::int64_t start = offsets[tile.job][std::size_t(tile.first / smallest_page)];
    body(job.dense, tile, job.mask.words + tile.first / 32, item_at(job.values, start), scratch);
    return TileResult{};
  });
}

}  // namespace

void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  for_each_packed_tile(
      context, jobs, results,
      [](const TensorView& dense, const Tile& tile, const std::uint32_t* words, std::byte* values, Scratch& scratch) {
        const void* weights = read_tile(dense, tile.first, tile.size, scratch.weights);
        kernels().pack[by_size(dense.dtype)](weights, tile.size, words, values);
      });
}

void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  for_each_packed_tile(
      context, jobs, results,
      [](const TensorView& dense, const Tile& tile, const std::uint32_t* words, std::byte* values, Scratch& scratch) {
        void* out = open_tile(dense, tile.first, scratch.out);
        kernels().unpack[by_size(dense.dtype)](values, tile.size, words, out);
        finish_tile(dense, tile.first, tile.size, scratch.out);
      });
}

}  // namespace prunecell::cpu
