// Blocks and their shared memory, seen from kernels.
#include "device_array.hpp"

#include <doctest/doctest.h>
#include <simt/control.hpp>

namespace {

constexpr unsigned fresh_word = 0x01010101u * simt::fresh_byte;

/// Counts the words of its shared memory that are not fresh, and writes others.
template <class T>
__global__ void __launch_bounds__(64) use_shared_memory(unsigned* stale) {
  __shared__ T words[1024];
  for (unsigned i = threadIdx.x; i < 1024; i += blockDim.x) {
    if (words[i] != T(fresh_word)) atomicAdd(stale, 1u);
    words[i] = T(blockIdx.x);
  }
  __syncthreads();
  if (words[1023 - threadIdx.x] != T(blockIdx.x)) atomicAdd(stale, 1u);
}

/// A function of one type only is no template, and its variable lies elsewhere.
__global__ void use_plain_shared_memory(unsigned* stale) {
  alignas(16) __shared__ unsigned words[2048];
  for (unsigned i = threadIdx.x; i < 2048; i += blockDim.x) {
    if (words[i] != fresh_word) atomicAdd(stale, 1u);
    words[i] = blockIdx.x;
  }
  __syncthreads();
  if (words[2047 - threadIdx.x] != blockIdx.x) atomicAdd(stale, 1u);
}

TEST_CASE("shared memory is fresh in each block, and no race with that of another") {
  for (const auto kernel : {use_shared_memory<unsigned>, use_shared_memory<int>, use_plain_shared_memory}) {
    DeviceArray<unsigned> stale(std::vector<unsigned>{0});
    launch(kernel, 8, 64, stale.data());
    launch(kernel, 8, 64, stale.data());
    CHECK(stale.read()[0] == 0);
  }
}

__global__ void note_place(uint3* places) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  places[block * threads + thread] = {thread, block, threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z};
}

TEST_CASE("grids and blocks have three dimensions, and every thread of every block runs once") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    simt::options().order = order;
    DeviceArray<uint3> places(2 * 3 * 4 * 5 * 3 * 2);
    launch(note_place, dim3(2, 3, 4), dim3(5, 3, 2), places.data());
    const std::vector<uint3> found = places.read();
    bool right = true;
    for (unsigned i = 0; i < found.size(); ++i) {
      const unsigned thread = i % 30, digits = thread % 5 + thread / 5 % 3 * 10 + thread / 15 * 100;
      right = right && found[i].x == thread && found[i].y == i / 30 && found[i].z == digits;
    }
    CHECK(right);
  }
  simt::reset();
}

__global__ void vote_in_block(int* results) {
  const int odd = int(threadIdx.x % 2);
  const int count = __syncthreads_count(odd), all = __syncthreads_and(odd), any = __syncthreads_or(odd);
  const int none = __syncthreads_or(0), every = __syncthreads_and(1);
  if (threadIdx.x == 77) {
    const int found[] = {count, all, any, none, every};
    for (int i = 0; i < 5; ++i) results[i] = found[i];
  }
}

TEST_CASE("block votes count, and combine") {
  DeviceArray<int> results(5);
  launch(vote_in_block, 1, 101, results.data());
  CHECK(results.read() == std::vector<int>{50, 0, 1, 0, 1});
}

}  // namespace
