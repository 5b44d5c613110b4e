#include "device_array.hpp"
#include "planted.hpp"

#include <climits>

namespace planted {
namespace {

constexpr unsigned block = 32, size = 103;

/// Doubles the values four at a time, and those behind the last four.
template <bool sound>
__global__ void twice(const unsigned* in, unsigned* out) {
  const unsigned fours = size / 4;
  for (unsigned i = threadIdx.x; i < fours; i += block) {
    const uint4 v = __ldg(reinterpret_cast<const uint4*>(in) + i);
    __stcs(reinterpret_cast<uint4*>(out) + i, make_uint4(2 * v.x, 2 * v.y, 2 * v.z, 2 * v.w));
  }
  if constexpr (sound)
    for (unsigned i = 4 * fours + threadIdx.x; i < size; i += block) out[i] = 2 * in[i];
}

template <bool sound>
__global__ void fill_ones(unsigned* out) {
  for (unsigned i = threadIdx.x; sound ? i < size : i <= size; i += block) out[i] = 1;
}

template <bool sound>
__global__ void add_up(const unsigned* in, unsigned* sum) {
  for (unsigned i = threadIdx.x; sound ? i < size : i <= size; i += block) atomicAdd(sum, in[i]);
}

__global__ void load_vector(const unsigned* in, unsigned* sum) {
  const uint2 pair = __ldcs(reinterpret_cast<const uint2*>(in));
  *sum = pair.x + pair.y;
}

__global__ void dereference_vector(const unsigned* in, unsigned* sum) {
  const uint2 pair = *reinterpret_cast<const uint2*>(in);
  *sum = pair.x + pair.y;
}

/// A GPU takes the nearest representable integer, a processor INT_MIN.
template <bool sound>
__global__ void truncate(const float* in, int* out) {
  const float clamped = in[0] < 2147483520.0f ? in[0] : 2147483520.0f;
  *out = int(sound ? clamped : in[0]);
}

__global__ void count_block(unsigned* count) { atomicAdd(count, 1u); }

__global__ void set_one(unsigned* value) { *value = 1; }

}  // namespace

bool dropped_tail(bool sound) {
  DeviceArray<unsigned> in(std::vector<unsigned>(size, 3u)), out(size);
  launch(sound ? twice<true> : twice<false>, 1, block, in.data(), out.data());
  return out.read() == std::vector<unsigned>(size, 6u);
}

bool write_past_the_end(bool sound) {
  DeviceArray<unsigned> out(size);
  launch(sound ? fill_ones<true> : fill_ones<false>, 1, block, out.data());
  return out.read() == std::vector<unsigned>(size, 1u);
}

bool read_past_the_end(bool sound) {
  DeviceArray<unsigned> in(std::vector<unsigned>(size, 1u)), sum(std::vector<unsigned>{0});
  launch(sound ? add_up<true> : add_up<false>, 1, block, in.data(), sum.data());
  return sum.read()[0] == size;
}

bool misaligned_load(bool sound) {
  DeviceArray<unsigned> in(std::vector<unsigned>{1, 1, 1, 1}), sum(1);
  launch(load_vector, 1, 1, in.data() + (sound ? 2 : 1), sum.data());
  return sum.read()[0] == 2;
}

bool misaligned_dereference(bool sound) {
  DeviceArray<unsigned> in(std::vector<unsigned>{1, 1, 1, 1}), sum(1);
  launch(dereference_vector, 1, 1, in.data() + (sound ? 2 : 1), sum.data());
  return sum.read()[0] == 2;
}

bool missing_clamp(bool sound) {
  DeviceArray<float> in(std::vector<float>{1e20f});
  DeviceArray<int> out(1);
  launch(sound ? truncate<true> : truncate<false>, 1, 1, in.data(), out.data());
  return out.read()[0] == INT_MAX - 127;
}

bool uninitialised_scratch(bool sound) {
  DeviceArray<unsigned> count(1);
  if (sound) check(cudaMemsetAsync(count.data(), 0, sizeof(unsigned)));
  launch(count_block, 4, 1, count.data());
  return count.read()[0] == 4;
}

bool use_after_free(bool sound) {
  unsigned* scratch = nullptr;
  check(cudaMallocAsync(&scratch, sizeof(unsigned), nullptr));
  if (!sound) check(cudaFreeAsync(scratch, nullptr));
  launch(set_one, 1, 1, scratch);
  if (sound) check(cudaFreeAsync(scratch, nullptr));
  check(cudaStreamSynchronize(nullptr));
  return true;
}

bool host_read_without_synchronisation(bool sound) {
  DeviceArray<unsigned> value(1);
  unsigned* pinned = nullptr;
  check(cudaMallocHost(&pinned, sizeof(unsigned)));
  launch(set_one, 1, 1, value.data());
  check(cudaMemcpyAsync(pinned, value.data(), sizeof(unsigned), cudaMemcpyDeviceToHost));
  if (sound) check(cudaStreamSynchronize(nullptr));
  const bool right = *pinned == 1;
  check(cudaFreeHost(pinned));
  return right;
}

bool host_dereference(bool sound) {
  DeviceArray<unsigned> value(1);
  launch(set_one, 1, 1, value.data());
  check(cudaStreamSynchronize(nullptr));
  return (sound ? value.read()[0] : *value.data()) == 1;
}

}  // namespace planted
