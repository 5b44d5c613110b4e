// The first half of a rebuild: which keys go, for every job of a call. The weights are counted in rounds; between
// rounds one block per job narrows the job's bracket, so that the host is never asked. Rounds are launches of
// their own: what one writes, the next sees, and no block waits for another.
#include "cuda/device/decide.cuh"
#include "cuda/host/steps.hpp"
#include "semantics/uniform_bracket.hpp"

namespace prunecell::cuda {
namespace {

/// Counts what old masks prune, where those weights are not ranked.
__global__ void count_old_zeros(Batch batch) {
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    if (!job.selection.draws_numbers() || !job.old) return;
    unsigned long long zeros = 0;
    for_each_lane<32>(begin, end, [&](std::int64_t first, int count) {
      zeros += unsigned(count - __popc(kept_bits(job.old, first, count)));
    });
    add_warp(zeros, &batch.searches[number].old_zeros);
  });
}

/// Keys of a strided sample, counted over the whole range, bracket the level. All threads of the block call it.
__device__ KeyBracket predict_magnitude(const DeviceJob& job, const KeyBracket& whole, std::int64_t rank) {
  __shared__ unsigned int buckets[KeyBracket::buckets];
  __syncthreads();
  for (unsigned b = threadIdx.x; b < KeyBracket::buckets; b += Policy::block_threads) buckets[b] = 0;
  __syncthreads();
  const std::int64_t n = job.size;
  const std::int64_t draws = n < Policy::sample_weights ? n : Policy::sample_weights, stride = n / draws;
  for (std::int64_t s = threadIdx.x; s < draws; s += Policy::block_threads) {
    const std::int64_t index = s * stride + s * 37 % stride;  // not one phase of periodic data
    with_weight_type(job.dtype, [&](auto weight) {
      using Weight = decltype(weight);
      const bool kept = kept_bits(job.old, index, 1) != 0;
      const std::uint32_t key = kept ? Weight::key(load_one<typename Weight::Bits>(job.weights, index)) : 0;
      if (key <= whole.last) atomicAdd(&buckets[(key - whole.first) >> whole.shift()], 1u);
    });
  }
  __syncthreads();
  const semantics::Quantile share =
      semantics::quantile(double(rank) / double(n), double(draws), Policy::sample_deviations);
  const auto low = std::int64_t(share.low * double(draws)), high = std::int64_t(share.high * double(draws)) + 1;
  KeyBracket bracket = whole;
  Narrowed at;
  if (narrow_by_block(whole, buckets, 0, low, at)) bracket.first = at.bracket.first;
  if (narrow_by_block(whole, buckets, 0, high, at)) bracket.last = at.bracket.last;
  return bracket;
}

/// Where the search of a job starts, or its decision where nothing has to be counted.
__device__ Search begin(const DeviceJob& job, std::int64_t old_zeros) {
  Search search = {};
  search.old_zeros = std::uint64_t(old_zeros);
  search.state = Search::State::keep_old;
  search.tie_end = job.size;
  if (job.size == 0 || job.selection.keys == Selection::Keys::none) return search;
  search.rank = job.need - old_zeros;
  if (job.selection.draws_numbers()) {
    if (search.rank <= 0) return search;
    if (job.need == job.size) {
      search.state = Search::State::prune_all;
      return search;
    }
    search.whole = {0, UINT32_MAX};
    search.bracket = semantics::uniform_bracket(search.rank, job.size - old_zeros);
  } else {
    search.whole = {0, semantics::limit_key(job.selection.delta, semantics::max_level)};
    if (search.rank == 0) {  // level 0: exact zeros
      search.state = Search::State::prune_up_to;
      return search;
    }
    search.bracket = search.whole;
  }
  search.state = Search::State::searching;
  return search;
}

__global__ void begin_searches(Batch batch) {
  for (int number = int(blockIdx.x); number < batch.count; number += int(gridDim.x)) {
    const DeviceJob& job = batch.jobs[number];
    Search search = begin(job, std::int64_t(batch.searches[number].old_zeros));
    if (search.state == Search::State::searching && job.selection.ranks_magnitudes())
      search.bracket = predict_magnitude(job, search.whole, search.rank);
    __syncthreads();  // all threads have read old_zeros
    if (threadIdx.x != 0) continue;
    batch.searches[number] = search;
    if (job.selection.keys != Selection::Keys::none) batch.outcomes[number].result.need = job.need;
  }
}

/// Adds keys to buckets in shared memory. Equal neighbours are added as one, so that ties do not queue for a counter.
class BucketCounter {
 public:
  __device__ BucketCounter(unsigned int* buckets, const KeyBracket& bracket)
      : buckets_(buckets), first_(bracket.first), width_(bracket.last - bracket.first), shift_(bracket.shift()) {}

  __device__ void add(std::uint32_t key) {
    if (key - first_ > width_) {
      below_ += key < first_;
      return;
    }
    const std::uint32_t bucket = (key - first_) >> shift_;
    if (bucket != bucket_) flush();
    bucket_ = bucket;
    ++run_;
  }
  __device__ void flush() {
    if (run_ > 0) atomicAdd(&buckets_[bucket_], run_);
    run_ = 0;
  }
  __device__ unsigned int below() const { return below_; }

 private:
  unsigned int* buckets_;
  std::uint32_t first_, width_;
  int shift_;
  std::uint32_t bucket_ = 0;
  unsigned int run_ = 0, below_ = 0;
};

/// Elements that the old mask prunes are not ranked.
__device__ void count_numbers(const DeviceJob& job, std::int64_t begin, std::int64_t end, BucketCounter& counter) {
  for_each_lane<4>(begin, end, [&](std::int64_t first, int count) {
    const LaneKeys<4> keys = random_keys<4>(job, first);
    const std::uint32_t kept = kept_bits(job.old, first, count);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (kept >> i & 1u) counter.add(keys.key[i]);
  });
}

/// One round of counting for the jobs that still search.
__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) count_keys(Batch batch) {
  __shared__ unsigned int buckets[KeyBracket::buckets];
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    const Search& search = batch.searches[number];
    if (search.state != Search::State::searching) return;
    for (unsigned b = threadIdx.x; b < KeyBracket::buckets; b += Policy::block_threads) buckets[b] = 0;
    __syncthreads();
    BucketCounter counter(buckets, search.bracket);
    if (job.selection.draws_numbers())
      count_numbers(job, begin, end, counter);
    else
      for_each_magnitude(job, begin, end, [&](std::uint32_t key) { counter.add(key); });
    counter.flush();
    __syncthreads();
    DeviceCounts& counts = batch.counts[number];
    for (unsigned b = threadIdx.x; b < KeyBracket::buckets; b += Policy::block_threads)
      if (buckets[b] > 0) atomicAdd(&counts.bucket[b], static_cast<unsigned long long>(buckets[b]));
    add_warp(counter.below(), &counts.below);
    __syncthreads();  // the buckets are read before the next run clears them
  });
}

/// Between rounds: narrows the bracket of each job that searches, and clears its counts.
__global__ void narrow_brackets(Batch batch) {
  for (int number = int(blockIdx.x); number < batch.count; number += int(gridDim.x)) {
    Search& search = batch.searches[number];
    if (search.state != Search::State::searching) continue;
    const KeyBracket bracket = search.bracket, whole = search.whole;
    DeviceCounts& counts = batch.counts[number];
    Narrowed narrowed;
    const bool inside = narrow_by_block(bracket, counts.bucket, std::int64_t(counts.below), search.rank, narrowed);
    for (unsigned b = threadIdx.x; b < KeyBracket::buckets; b += Policy::block_threads) counts.bucket[b] = 0;
    if (threadIdx.x != 0) continue;
    counts.below = 0;
    if (inside) {
      settle(batch.jobs[number], search, batch.outcomes[number], narrowed);
    } else if (bracket.first != whole.first || bracket.last != whole.last) {
      search.bracket = whole;  // the prediction missed
    } else {
      search.state = Search::State::unreachable;
      batch.outcomes[number].status = Outcome::Status::unreachable;
      search.census = true;
      atomicOr(batch.failed, 1u);
    }
  }
}

/// The first `ties` of the elements whose number is the limit go: finds the index of the first that stays.
/// Two elements share a key once in 2^32 pairs, so that one block scanning its tensor in order is rare.
__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) settle_ties(Batch batch) {
  for (int number = int(blockIdx.x); number < batch.count; number += int(gridDim.x)) {
    Search& search = batch.searches[number];
    const std::int64_t ties = search.ties;
    if (search.state != Search::State::prune_up_to || ties == 0) continue;
    const DeviceJob& job = batch.jobs[number];
    std::int64_t seen = 0;
    for (std::int64_t base = 0; base < job.size && seen <= ties; base += 4 * Policy::block_threads) {
      const std::int64_t first = base + 4 * std::int64_t(threadIdx.x), left = job.size - first;
      const int count = left >= 4 ? 4 : left > 0 ? int(left) : 0;
      const LaneKeys<4> keys = random_keys<4>(job, first);
      std::uint32_t equal = kept_bits(job.old, first, count);
      for (int i = 0; i < 4; ++i)
        if (keys.key[i] != search.limit) equal &= ~(1u << i);
      unsigned long long total = 0;
      std::int64_t before = seen + std::int64_t(exclusive_scan(unsigned(__popc(equal)), total));
      for (int i = 0; i < 4; ++i)
        if ((equal >> i & 1u) && before++ == ties) search.tie_end = first + i;
      seen += std::int64_t(total);
    }
  }
}

/// Counts the weights within the last level and beyond it, for jobs that ask.
__global__ void take_census(Batch batch) {
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    const Search& search = batch.searches[number];
    if (!search.census) return;
    unsigned long long reachable = 0, finite = 0, inf = 0, nan = 0;
    for_each_magnitude(job, begin, end, [&](std::uint32_t key) {
      if (key <= search.whole.last)
        ++reachable;
      else if (key < semantics::inf_key)
        ++finite;
      else
        ++(key == semantics::inf_key ? inf : nan);
    });
    const auto sum = [](std::int64_t& counter) { return reinterpret_cast<unsigned long long*>(&counter); };
    Census& census = batch.outcomes[number].census;
    add_warp(reachable, sum(census.reachable));
    add_warp(finite, sum(census.finite));
    add_warp(inf, sum(census.inf));
    add_warp(nan, sum(census.nan));
    if (begin == 0 && threadIdx.x == 0) census.size = job.size;
  });
}

/// Decisions by limits that are known.
__global__ void take_limits(Batch batch) {
  for (int number = int(blockIdx.x); number < batch.count; number += int(gridDim.x)) {
    const DeviceJob& job = batch.jobs[number];
    if (threadIdx.x != 0) continue;
    Search& search = batch.searches[number];
    const bool ranks = job.selection.keys != Selection::Keys::none;
    search.state = ranks ? Search::State::prune_up_to : Search::State::keep_old;
    search.limit = job.limit.key;
    search.tie_end = job.limit.tie_end;
    if (job.selection.ranks_magnitudes()) batch.outcomes[number].result.limit = reinterpret<float>(job.limit.key);
  }
}

/// Rounds that settle any search: three narrow 2^32 keys to one by 11 bits each, and the first may be lost to a
/// prediction that missed.
constexpr int max_rounds = 4;

}  // namespace

void search(const Session& session) {
  session.launch(count_old_zeros, session.batch().tiles, session.batch());
  session.launch(begin_searches, std::int64_t(session.batch().count), session.batch());
  for (int round = 0; round < max_rounds; ++round) {
    session.launch(count_keys, session.batch().tiles, session.batch());
    session.launch(narrow_brackets, std::int64_t(session.batch().count), session.batch());
  }
  session.launch(settle_ties, std::int64_t(session.batch().count), session.batch());
  session.launch(take_census, session.batch().tiles, session.batch());
}

void decide_at_limits(const Session& session) {
  session.launch(take_limits, std::int64_t(session.batch().count), session.batch());
}

void count_round(const Session& session) {
  session.launch(count_keys, session.batch().tiles, session.batch());
  session.launch(take_census, session.batch().tiles, session.batch());
}

}  // namespace prunecell::cuda
