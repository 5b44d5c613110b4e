// Writing masks: the mask of each job by its decision, and the weights masked while they are at hand. The count of
// zeros is that of the bits written, so that it needs no pass of its own.
#include "cuda/device/select.cuh"
#include "cuda/host/steps.hpp"

namespace prunecell::cuda {
namespace {

/// Counts the weights above the limit, for jobs that may fall back. A launch of its own, which others do not pay for.
__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) count_weights_above(Batch batch) {
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    Search& search = batch.searches[number];
    if (!job.selection.spares_tensors || search.state != Search::State::prune_up_to) return;
    unsigned long long above = 0;
    for_each_magnitude(job, begin, end, [&](std::uint32_t key) { above += key > search.limit; });
    add_warp(above, &search.survivors);
  });
}

/// Whether all weights would go of a job that rather keeps its fallback.
__device__ bool falls_back(const DeviceJob& job, const Search& search) {
  return job.selection.spares_tensors && search.state == Search::State::prune_up_to && search.survivors == 0;
}

/// Bits of the weights that stay, by the job's decision. Keys are asked for where they decide.
template <int width, class Keys>
__device__ std::uint32_t decide_bits(const Search& search, bool old_is_ranked, std::int64_t first, std::uint32_t old,
                                     Keys&& keys_of_lane) {
  if (search.state == Search::State::keep_old) return old;
  if (search.state == Search::State::prune_all) return 0;
  const LaneKeys<width> keys = keys_of_lane();
  std::uint32_t stays = 0;
#pragma unroll
  for (int i = 0; i < width; ++i) {
    const bool spared = keys.key[i] == search.limit && first + i >= search.tie_end;
    stays |= std::uint32_t(keys.key[i] > search.limit || spared) << i;
  }
  return old_is_ranked ? stays : stays & old;
}

/// The limit that stands for the decision.
__device__ Limit ends_at(const DeviceJob& job, const Search& search) {
  switch (search.state) {
    case Search::State::prune_up_to: return {search.limit, search.tie_end};
    case Search::State::prune_all: return {UINT32_MAX, job.size};
    default: return {0, 0};
  }
}

template <class Weight, bool apply>
__device__ void write_run(const Batch& batch, int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
  using Bits = typename Weight::Bits;
  constexpr int width = Lane<Bits>::size;
  Search search = batch.searches[number];
  const std::uint32_t* old_words = job.old;
  if (falls_back(job, search)) {
    search.state = Search::State::keep_old;
    old_words = job.fallback;
    if (begin == 0 && threadIdx.x == 0) {
      Result& result = batch.outcomes[number].result;
      result.level = 0;
      result.limit = 0;
      result.tied = true;
    }
  }
  if (begin == 0 && threadIdx.x == 0) batch.outcomes[number].result.ends_at = ends_at(job, search);
  const bool by_magnitude = job.selection.ranks_magnitudes();
  unsigned long long zeros = 0;
  bool changed = false;
  const bool written = apply && is_destination(job, job.weights);
  for_each_lane<width>(begin, end, [&](std::int64_t first, int count) {
    const std::uint32_t old = kept_bits(old_words, first, count);
    Lane<Bits> weights = {};
    if (apply || by_magnitude) weights = load<Bits>(job.weights, job.size, first, count, written);
    const std::uint32_t kept = low_bits(count) & decide_bits<width>(search, by_magnitude, first, old, [&] {
                                 if (!by_magnitude) return random_keys<width>(job, first);
                                 LaneKeys<width> keys = magnitude_keys<Weight>(weights);
                                 for (int i = 0; i < width; ++i)
                                   if (!(old >> i & 1u)) keys.key[i] = 0;
                                 return keys;
                               });
    __syncwarp();  // all lanes have read the old bits, which may be those that are written here
    store_bits<width>(job.mask, first, count, kept);
    zeros += unsigned(count - __popc(kept));
    if constexpr (apply) changed |= select_lane<Bits>(job, first, count, weights, kept);
  });
  add_to_outcome(batch.outcomes[number], zeros, changed);
}

template <bool apply>
__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) write_masks(Batch batch) {
  if (*batch.failed != 0) return;
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    with_weight_type(job.dtype,
                     [&](auto weight) { write_run<decltype(weight), apply>(batch, number, job, begin, end); });
  });
}

}  // namespace

void count_survivors(const Session& session) {
  session.launch(count_weights_above, session.batch().tiles, session.batch());
}

void write(const Session& session, Apply apply) {
  session.launch(apply == Apply::yes ? write_masks<true> : write_masks<false>, session.batch().tiles, session.batch());
}

}  // namespace prunecell::cuda
