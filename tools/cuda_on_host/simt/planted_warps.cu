#include "device_array.hpp"
#include "planted.hpp"

namespace planted {
namespace {

constexpr unsigned full = 0xffffffffu;

/// A mask word from 32 lanes, of which only the first 20 have a weight.
template <bool sound>
__global__ void pack_bits(unsigned* word) {
  const bool has_weight = threadIdx.x < 20;
  unsigned bits = 0;
  if constexpr (sound)
    bits = __ballot_sync(full, has_weight);
  else if (has_weight)
    bits = __ballot_sync(full, true);
  if (threadIdx.x == 0) *word = bits;
}

template <bool sound>
__global__ void vote_in_halves(unsigned* word) {
  const unsigned mine = threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u;
  const unsigned bits = __ballot_sync(sound || threadIdx.x < 16 ? mine : full, true);
  atomicOr(word, bits);
}

template <bool sound>
__global__ void sum_of_half(unsigned* sum) {
  if (sound && threadIdx.x >= 16) return;
  const unsigned total = __reduce_add_sync(0x0000ffffu, 1u);
  if (threadIdx.x == 0) *sum = total;
}

template <bool sound>
__global__ void last_of_half(unsigned* last) {
  if (threadIdx.x >= 16) return;
  const unsigned value = __shfl_sync(0x0000ffffu, threadIdx.x, sound ? 15 : 16);
  if (threadIdx.x == 0) *last = value;
}

template <bool sound>
__global__ void reverse_warp(unsigned* values) {
  __shared__ unsigned staged[32];
  staged[threadIdx.x] = values[threadIdx.x];
  if constexpr (sound) __syncwarp();
  values[threadIdx.x] = staged[31 - threadIdx.x];
}

template <bool sound>
__global__ void rotate_warp(unsigned* values) {
  __shared__ unsigned staged[32];
  staged[threadIdx.x] = values[threadIdx.x];
  const unsigned bits = __ballot_sync(full, true);
  if constexpr (sound) __syncwarp();
  values[threadIdx.x] = staged[(threadIdx.x + __popc(bits) - 1) % 32];
}

}  // namespace

bool divergent_collective(bool sound) {
  DeviceArray<unsigned> word(1);
  launch(sound ? pack_bits<true> : pack_bits<false>, 1, 32, word.data());
  return word.read()[0] == 0x000fffffu;
}

bool different_masks(bool sound) {
  DeviceArray<unsigned> word(std::vector<unsigned>{0});
  launch(sound ? vote_in_halves<true> : vote_in_halves<false>, 1, 32, word.data());
  return word.read()[0] == full;
}

bool lane_outside_its_mask(bool sound) {
  DeviceArray<unsigned> sum(1);
  launch(sound ? sum_of_half<true> : sum_of_half<false>, 1, 32, sum.data());
  return sum.read()[0] == 16;
}

bool shuffle_from_outside_the_mask(bool sound) {
  DeviceArray<unsigned> last(1);
  launch(sound ? last_of_half<true> : last_of_half<false>, 1, 32, last.data());
  return last.read()[0] == 15;
}

bool missing_warp_barrier(bool sound) {
  std::vector<unsigned> values(32), expected(32);
  for (unsigned i = 0; i < 32; ++i) values[i] = expected[31 - i] = i;
  DeviceArray<unsigned> array(values);
  launch(sound ? reverse_warp<true> : reverse_warp<false>, 1, 32, array.data());
  return array.read() == expected;
}

bool vote_taken_for_a_barrier(bool sound) {
  std::vector<unsigned> values(32), expected(32);
  for (unsigned i = 0; i < 32; ++i) values[i] = expected[(i + 1) % 32] = i;
  DeviceArray<unsigned> array(values);
  launch(sound ? rotate_warp<true> : rotate_warp<false>, 1, 32, array.data());
  return array.read() == expected;
}

}  // namespace planted
