// Packing and unpacking. The masks' bits are counted first, so that each tile knows where its values begin: this reads
// at most 1/32 of what is moved.
#include "cuda/device/select.cuh"
#include "cuda/host/steps.hpp"

namespace prunecell::cuda {
namespace {

constexpr int tile_words = int(Policy::tile_weights / 32);
static_assert(tile_words <= Policy::block_threads);

/// Kept weights of word `threadIdx.x` of a tile.
__device__ unsigned int kept_in_word(const DeviceJob& job, std::int64_t tile_begin) {
  const std::int64_t first = tile_begin + 32 * std::int64_t(threadIdx.x);
  if (int(threadIdx.x) >= tile_words || first >= job.size) return 0;
  return unsigned(__popc(job.mask[first / 32]));
}

/// body(job, first weight of the tile, the tile's number) for the block's tiles.
template <class Body>
__device__ void for_each_tile(const Batch& batch, Body&& body) {
  for_each_run(batch, [&](int, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end; first += Policy::tile_weights)
      body(job, first, job.first_tile + first / Policy::tile_weights);
  });
}

__global__ void count_kept(Batch batch) {
  for_each_tile(batch, [&](const DeviceJob& job, std::int64_t first, std::int64_t tile) {
    unsigned long long total = 0;
    exclusive_scan(kept_in_word(job, first), total);
    if (threadIdx.x == 0) batch.starts[tile] = total;
  });
}

/// From kept weights per tile to where each tile's values begin; one block per job. Fails jobs whose values are not as
/// many as the mask keeps.
__global__ void place_tiles(Batch batch) {
  for (int number = int(blockIdx.x); number < batch.count; number += int(gridDim.x)) {
    const DeviceJob& job = batch.jobs[number];
    const std::int64_t end = (job.size + Policy::tile_weights - 1) / Policy::tile_weights;
    unsigned long long* starts = batch.starts + job.first_tile;
    unsigned long long kept = 0;
    for (std::int64_t base = 0; base < end; base += Policy::block_threads) {
      const std::int64_t tile = base + threadIdx.x;
      unsigned long long total = 0;
      const unsigned long long start = exclusive_scan(tile < end ? starts[tile] : 0, total);
      if (tile < end) starts[tile] = kept + start;
      kept += total;
    }
    if (threadIdx.x != 0) continue;
    Outcome& outcome = batch.outcomes[number];
    outcome.result.zeros = job.size - std::int64_t(kept);
    outcome.kept = std::int64_t(kept);
    if (outcome.kept == job.need) continue;
    outcome.status = Outcome::Status::wrong_size;
    atomicOr(batch.failed, 1u);
  }
}

/// body(job, first weight, number of weights, its mask bits, place of its first value) for the lanes of all tiles.
template <class Bits, class Body>
__device__ void for_each_packed_lane(const Batch& batch, const DeviceJob& job, std::int64_t begin, std::int64_t tile,
                                     std::int64_t* word_starts, Body&& body) {
  unsigned long long total = 0;
  const auto start = std::int64_t(batch.starts[tile] + exclusive_scan(kept_in_word(job, begin), total));
  if (int(threadIdx.x) < tile_words) word_starts[threadIdx.x] = start;
  __syncthreads();
  const std::int64_t stop = begin + Policy::tile_weights;
  for_each_lane<Lane<Bits>::size>(begin, stop < job.size ? stop : job.size, [&](std::int64_t first, int count) {
    if (count == 0) return;
    const std::uint32_t before = job.mask[first / 32] & low_bits(int(first % 32));
    body(first, count, kept_bits(job.mask, first, count), word_starts[(first - begin) / 32] + __popc(before));
  });
  __syncthreads();  // word_starts are read before the next tile writes them
}

template <bool packing>
__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) move_values(Batch batch) {
  [[maybe_unused]] __shared__ std::int64_t word_starts[tile_words];
  if (*batch.failed != 0) return;
  for_each_tile(batch, [&](const DeviceJob& job, std::int64_t begin, std::int64_t tile) {
    with_item_bits(job.dtype, [&](auto zero) {
      using Bits = decltype(zero);
      const auto body = [&](std::int64_t first, int count, std::uint32_t kept, std::int64_t value) {
        unsigned char* values = job.out.data + value * std::int64_t(sizeof(Bits));
        Lane<Bits> lane = {};
        if constexpr (packing) lane = load<Bits>(job.weights, job.size, first, count);
#pragma unroll
        for (int i = 0; i < Lane<Bits>::size; ++i) {
          if (!(kept >> i & 1u)) continue;
          if constexpr (packing)
            store_item<Bits>(values, lane.item[i]);
          else
            lane.item[i] = load_item<Bits>(values);
          values += sizeof(Bits);
        }
        if constexpr (!packing) store(job.weights, first, count, lane);
      };
      for_each_packed_lane<Bits>(batch, job, begin, tile, word_starts, body);
    });
  });
}

}  // namespace

void move(const Session& session, Packing packing) {
  session.launch(count_kept, session.batch().tiles, session.batch());
  session.launch(place_tiles, std::int64_t(session.batch().count), session.batch());
  session.launch(packing == Packing::pack ? move_values<true> : move_values<false>, session.batch().tiles,
                 session.batch());
}

}  // namespace prunecell::cuda
