// One block decides for one job: what its counts mean for its search.
#pragma once

#include "cuda/device/keys.cuh"

#include <cmath>
#include <cstdint>

namespace prunecell::cuda {

/// narrow() by all threads of a block, each over its share of the buckets. The result is the same in all of them.
template <class Count>
inline __device__ bool narrow_by_block(const KeyBracket& bracket, const Count* counts, std::int64_t below,
                                       std::int64_t need, Narrowed& result) {
  constexpr std::uint32_t share = KeyBracket::buckets / Policy::block_threads;
  static_assert(share * Policy::block_threads == KeyBracket::buckets);
  __shared__ Narrowed found;
  __shared__ bool hit;
  if (threadIdx.x == 0) hit = false;
  const std::uint32_t begin = threadIdx.x * share;
  unsigned long long sum = 0, total = 0;
  for (std::uint32_t b = begin; b < begin + share; ++b) sum += counts[b];
  below += std::int64_t(exclusive_scan(sum, total));  // its barriers order the write of `hit` too
  if (narrow_among(bracket, counts, begin, begin + share, below, need, found)) hit = true;  // one thread at most
  __syncthreads();
  result = found;
  const bool inside = hit;
  __syncthreads();  // `found` may be written again
  return inside;
}

/// The share of draws below a quantile, give or take a few standard deviations. A miss costs a round, not the answer.
struct Quantile {
  double low, high;
};
inline __device__ Quantile quantile(double share, double draws) {
  const double margin = Policy::sample_deviations * sqrt(share * (1 - share) / draws) + 2 / draws;
  return {fmax(share - margin, 0.0), fmin(share + margin, 1.0)};
}

inline __device__ KeyBracket predict_random(std::int64_t wanted, std::int64_t candidates) {
  const Quantile share = quantile(double(wanted) / double(candidates), double(candidates));
  const double keys = 4294967296.0, last = keys - 1;  // clamped: a larger double has no uint32
  return {std::uint32_t(fmin(share.low * keys, last)), std::uint32_t(fmin(share.high * keys, last))};
}

/// Keys that are left after a round settle the job, or its next bracket. One thread of the block calls it.
inline __device__ void settle(const DeviceJob& job, Search& search, Outcome& outcome, const Narrowed& narrowed) {
  search.bracket = narrowed.bracket;
  if (job.filler == Filler::random) {
    if (narrowed.bracket.first != narrowed.bracket.last) return;
    search.limit = narrowed.bracket.first;
    const std::int64_t ties = search.wanted - narrowed.below;
    search.ties = narrowed.inside > ties ? ties : 0;
    search.tie_end = job.size;
  } else {  // all keys in question belong to one level: that level is the answer
    const std::int64_t level = semantics::level_of(job.delta, narrowed.bracket.first);
    const std::uint32_t limit = semantics::limit_key(job.delta, level);
    if (limit < narrowed.bracket.last) return;
    search.limit = limit;
    search.tie_end = job.size;
    outcome.result.level = level;
    outcome.result.limit = reinterpret<float>(limit);
  }
  search.state = Search::State::prune_up_to;
}

}  // namespace prunecell::cuda
