// Threads of a block at work together: sums, scans, and the tiles of a call spread over blocks.
#pragma once

#include "cuda/device/device_job.hpp"
#include "cuda/device/policy.hpp"

#include <cuda_runtime.h>

#include <cstdint>

namespace prunecell::cuda {

inline constexpr unsigned all_lanes = 0xffffffffu;
inline constexpr int warp_size = 32;
inline constexpr int block_warps = Policy::block_threads / warp_size;

inline __device__ int lane_number() { return int(threadIdx.x) % warp_size; }
inline __device__ int warp_number() { return int(threadIdx.x) / warp_size; }

/// Adds every thread's value to `sum`: one atomic per warp. All lanes of the warp call it.
inline __device__ void add_warp(unsigned long long value, unsigned long long* sum) {
  for (int step = warp_size / 2; step > 0; step /= 2) value += __shfl_down_sync(all_lanes, value, unsigned(step));
  if (lane_number() == 0 && value > 0) atomicAdd(sum, value);
}

/// The sum of the values of the threads before this one; `total` becomes that of all. All threads of the block call it.
inline __device__ unsigned long long exclusive_scan(unsigned long long value, unsigned long long& total) {
  __shared__ unsigned long long warp_sums[block_warps];
  unsigned long long sum = value;
  for (int step = 1; step < warp_size; step *= 2) {
    const unsigned long long before = __shfl_up_sync(all_lanes, sum, unsigned(step));
    if (lane_number() >= step) sum += before;
  }
  if (lane_number() == warp_size - 1) warp_sums[warp_number()] = sum;
  __syncthreads();
  unsigned long long start = 0;
  total = 0;
  for (int warp = 0; warp < block_warps; ++warp) {
    if (warp < warp_number()) start += warp_sums[warp];
    total += warp_sums[warp];
  }
  __syncthreads();  // warp_sums may be written again
  return start + sum - value;
}

/// Number of the job that has the tile.
inline __device__ int job_of_tile(const Batch& batch, std::int64_t tile) {
  int low = 0, high = batch.count;  // the last job whose first tile is not behind it; empty jobs share theirs
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (batch.jobs[middle].first_tile <= tile)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/// body(job number, job, begin, end) for the block's share of the weights: runs of whole tiles within one job. The same
/// for all threads of a block, so that the body may hold barriers. The job is a copy in shared memory: a store to
/// weights cannot change it, for the compiler neither, which would read it anew after each.
template <class Body>
inline __device__ void for_each_run(const Batch& batch, Body&& body) {
  const std::int64_t share = (batch.tiles + gridDim.x - 1) / gridDim.x;
  std::int64_t tile = share * blockIdx.x;
  const std::int64_t end = tile + share < batch.tiles ? tile + share : batch.tiles;
  if (tile >= end) return;
  __shared__ DeviceJob job;
  for (int number = job_of_tile(batch, tile); tile < end; ++number) {
    __syncthreads();  // the last job is no longer read
    if (threadIdx.x == 0) job = batch.jobs[number];
    __syncthreads();
    while (tile < end) {
      const std::int64_t begin = (tile - job.first_tile) * Policy::tile_weights;
      if (begin >= job.size) break;
      std::int64_t stop = (end - job.first_tile) * Policy::tile_weights;
      if (stop > job.size) stop = job.size;
      if (stop - begin > Policy::run_weights) stop = begin + Policy::run_weights;
      body(number, static_cast<const DeviceJob&>(job), begin, stop);
      tile += (stop - begin + Policy::tile_weights - 1) / Policy::tile_weights;
    }
  }
}

/// body(first weight, number of weights) for the lanes of `width` weights in [begin, end). Lanes of a warp come
/// together, those behind the end with a number of 0, so that the body may hold warp collectives.
template <int width, class Body>
inline __device__ void for_each_lane(std::int64_t begin, std::int64_t end, Body&& body) {
  constexpr std::int64_t warp_weights = warp_size * width;
  static_assert(Policy::tile_weights % warp_weights == 0);
  for (std::int64_t base = begin + warp_number() * warp_weights; base < end; base += block_warps * warp_weights) {
    const std::int64_t first = base + lane_number() * width;
    const std::int64_t left = end - first;
    body(first, left >= width ? width : left > 0 ? int(left) : 0);
  }
}

}  // namespace prunecell::cuda
