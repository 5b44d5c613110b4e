// One block decides for one job what its counts mean for its search.
#pragma once

#include "cuda/device/keys.cuh"
#include "semantics/grid.hpp"

#include <cstdint>

namespace prunecell::cuda {

/// narrow() by all threads of a block, each over its share of the buckets. The result is the same in all of them.
template <class Count>
inline __device__ bool narrow_by_block(const KeyBracket& bracket, const Count* counts, std::int64_t below,
                                       std::int64_t rank, Narrowed& result) {
  constexpr std::uint32_t share = KeyBracket::buckets / Policy::block_threads;
  static_assert(share * Policy::block_threads == KeyBracket::buckets);
  __shared__ Narrowed found;
  __shared__ bool hit;
  if (threadIdx.x == 0) hit = false;
  const std::uint32_t begin = threadIdx.x * share;
  unsigned long long sum = 0, total = 0;
  for (std::uint32_t b = begin; b < begin + share; ++b) sum += counts[b];
  below += std::int64_t(exclusive_scan(sum, total));  // its barriers order the write of `hit` too
  if (narrow_among(bracket, counts, begin, begin + share, below, rank, found)) hit = true;  // one thread at most
  __syncthreads();
  result = found;
  const bool inside = hit;
  __syncthreads();  // `found` may be written again
  return inside;
}

/// Keys that are left after a round settle the job, or its next bracket. One thread of the block calls it.
inline __device__ void settle(const DeviceJob& job, Search& search, Outcome& outcome, const Narrowed& narrowed) {
  search.bracket = narrowed.bracket;
  search.tie_end = job.size;
  if (job.selection.on_grid) {
    const semantics::GridLevel level = semantics::grid_level(job.selection.delta, narrowed.bracket.first);
    if (!within_one_level(level, narrowed.bracket)) return;
    search.limit = level.limit;
    outcome.result.level = level.number;
    outcome.result.limit = reinterpret<float>(level.limit);
  } else {
    if (narrowed.bracket.first != narrowed.bracket.last) return;
    search.limit = narrowed.bracket.first;
    const std::int64_t ties = search.rank - narrowed.below;
    search.ties = narrowed.inside > ties ? ties : 0;
  }
  search.state = Search::State::prune_up_to;
}

}  // namespace prunecell::cuda
