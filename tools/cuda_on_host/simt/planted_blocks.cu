#include "device_array.hpp"
#include "planted.hpp"

namespace planted {
namespace {

constexpr unsigned block = 128;

std::vector<unsigned> iota(unsigned size) {
  std::vector<unsigned> values(size);
  for (unsigned i = 0; i < size; ++i) values[i] = i;
  return values;
}

template <bool sound>
__global__ void reverse_block(unsigned* values) {
  __shared__ unsigned staged[block];
  staged[threadIdx.x] = values[threadIdx.x];
  if constexpr (sound) __syncthreads();
  values[threadIdx.x] = staged[block - 1 - threadIdx.x];
}

template <bool sound>
__global__ void count_small(const unsigned* values, unsigned* count) {
  const bool small = values[threadIdx.x] < 10;
  if constexpr (sound) {
    const int found = __syncthreads_count(small);
    if (threadIdx.x == 0) *count = unsigned(found);
  } else if (threadIdx.x < 96) {
    const int found = __syncthreads_count(small);
    if (threadIdx.x == 0) *count = unsigned(found);
  }
}

template <bool sound>
__global__ void reverse_in_two_branches(unsigned* values) {
  __shared__ unsigned staged[block];
  staged[threadIdx.x] = values[threadIdx.x];
  if (sound || threadIdx.x < 64)
    __syncthreads();
  else
    __syncthreads();
  values[threadIdx.x] = staged[block - 1 - threadIdx.x];
}

template <bool sound>
__global__ void histogram(const unsigned* values, unsigned* bins) {
  __shared__ unsigned local[4];
  if constexpr (sound) {
    if (threadIdx.x < 4) local[threadIdx.x] = 0;
    __syncthreads();
  }
  atomicAdd(&local[values[threadIdx.x] % 4], 1u);
  __syncthreads();
  if (threadIdx.x < 4) bins[threadIdx.x] = local[threadIdx.x];
}

template <bool sound>
__global__ void copy_through_shared(unsigned* values) {
  __shared__ unsigned staged[block];
  const unsigned shift = sound ? 0 : 1;
  staged[threadIdx.x + shift] = values[threadIdx.x];
  __syncthreads();
  values[threadIdx.x] = staged[threadIdx.x + shift];
}

template <bool sound>
__global__ void count_threads(unsigned* count) {
  if constexpr (sound)
    atomicAdd(count, 1u);
  else
    *count = *count + 1;
}

/// The first block that finds the seat empty takes it.
template <bool sound>
__global__ void take_the_seat(unsigned* seat, unsigned* winners) {
  if constexpr (sound) {
    if (atomicCAS(seat, 0u, threadIdx.x + 1) == 0) atomicAdd(winners, 1u);
  } else if (atomicAdd(seat, 0u) == 0) {
    atomicExch(seat, threadIdx.x + 1);
    atomicAdd(winners, 1u);
  }
}

/// Adds up the words of the blocks before this one, which are there only if those have run.
template <bool sound>
__global__ void running_sum(const unsigned* values, unsigned* sums) {
  if (threadIdx.x != 0) return;
  if constexpr (sound) {
    unsigned sum = 0;
    for (unsigned i = 0; i <= blockIdx.x; ++i) sum += values[i];
    sums[blockIdx.x] = sum;
  } else {
    sums[blockIdx.x] = values[blockIdx.x] + (blockIdx.x ? sums[blockIdx.x - 1] : 0);
  }
}

/// The last block to come adds up the words of all blocks.
template <bool sound>
__global__ void last_block_sums(unsigned* partial, unsigned* arrived, unsigned* sum) {
  if (threadIdx.x != 0) return;
  partial[blockIdx.x] = blockIdx.x + 1;
  if constexpr (sound) __threadfence();
  if (atomicAdd(arrived, 1u) != gridDim.x - 1) return;
  __threadfence();
  unsigned total = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) total += partial[i];
  *sum = total;
}

/// Thread 0 waits until all others have come.
template <bool sound>
__global__ void wait_for_all(unsigned* arrived) {
  if (threadIdx.x != 0) {
    if (sound || threadIdx.x != 1) atomicAdd(arrived, 1u);
    return;
  }
  while (atomicAdd(arrived, 0u) != blockDim.x - 1) {
  }
}

}  // namespace

bool dropped_barrier(bool sound) {
  DeviceArray<unsigned> values(iota(block));
  launch(sound ? reverse_block<true> : reverse_block<false>, 1, block, values.data());
  std::vector<unsigned> expected = iota(block);
  return values.read() == std::vector<unsigned>(expected.rbegin(), expected.rend());
}

bool barrier_in_divergent_code(bool sound) {
  DeviceArray<unsigned> values(iota(block)), count(1);
  launch(sound ? count_small<true> : count_small<false>, 1, block, values.data(), count.data());
  return count.read()[0] == 10;
}

bool barriers_in_two_branches(bool sound) {
  DeviceArray<unsigned> values(iota(block));
  launch(sound ? reverse_in_two_branches<true> : reverse_in_two_branches<false>, 1, block, values.data());
  std::vector<unsigned> expected = iota(block);
  return values.read() == std::vector<unsigned>(expected.rbegin(), expected.rend());
}

bool uninitialised_shared_memory(bool sound) {
  DeviceArray<unsigned> values(iota(block)), bins(4);
  launch(sound ? histogram<true> : histogram<false>, 1, block, values.data(), bins.data());
  return bins.read() == std::vector<unsigned>(4, block / 4);
}

bool shared_overrun(bool sound) {
  DeviceArray<unsigned> values(iota(block));
  launch(sound ? copy_through_shared<true> : copy_through_shared<false>, 1, block, values.data());
  return values.read() == iota(block);
}

bool non_atomic_increment(bool sound) {
  DeviceArray<unsigned> count(std::vector<unsigned>{0});
  launch(sound ? count_threads<true> : count_threads<false>, 1, block, count.data());
  return count.read()[0] == block;
}

bool check_then_act(bool sound) {
  DeviceArray<unsigned> seat(std::vector<unsigned>{0}), winners(std::vector<unsigned>{0});
  launch(sound ? take_the_seat<true> : take_the_seat<false>, 1, block, seat.data(), winners.data());
  return winners.read()[0] == 1;
}

bool race_between_blocks(bool sound) {
  DeviceArray<unsigned> values(std::vector<unsigned>(9, 1u)), sums(9);
  launch(sound ? running_sum<true> : running_sum<false>, 9, 32, values.data(), sums.data());
  return sums.read() == std::vector<unsigned>{1, 2, 3, 4, 5, 6, 7, 8, 9};
}

bool missing_fence(bool sound) {
  DeviceArray<unsigned> partial(9), arrived(std::vector<unsigned>{0}), sum(1);
  launch(sound ? last_block_sums<true> : last_block_sums<false>, 9, 32, partial.data(), arrived.data(), sum.data());
  return sum.read()[0] == 45;
}

bool endless_wait(bool sound) {
  DeviceArray<unsigned> arrived(std::vector<unsigned>{0});
  launch(sound ? wait_for_all<true> : wait_for_all<false>, 1, block, arrived.data());
  return arrived.read()[0] == block - 1;
}

}  // namespace planted
