// How kernels touch weights: a lane is the 16 bytes of consecutive weights that one thread handles. The only file with
// 16-byte accesses. An address that is not 16-byte aligned is read by two aligned accesses inside the tensor, which see
// bytes of the neighbours too; its ends, partial lanes, tensors whose neighbours are being written and layouts other
// than row-major item by item.
#pragma once

#include "cuda/device/device_job.hpp"

#include <cuda_runtime.h>

#include <cstdint>

namespace prunecell::cuda {

template <class Bits>
struct Lane {
  static constexpr int size = 16 / int(sizeof(Bits));
  Bits item[size];
};

template <class To, class From>
inline __device__ To reinterpret(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

/// Says that a pointer read from memory points to global memory, which saves finding out at every access.
template <class Pointer>
inline __device__ Pointer global(Pointer pointer) {
#ifdef __CUDACC__
  __builtin_assume(__isGlobal(pointer));
#endif
  return pointer;
}

inline __device__ uint4 load_aligned(const unsigned char* address) {
  return *reinterpret_cast<const uint4*>(global(address));
}

inline __device__ void store_aligned(unsigned char* address, uint4 value) {
  *reinterpret_cast<uint4*>(global(address)) = value;
}

/// The 16 bytes that begin `shift` bytes, 1 to 15, into low. Selects by constant steps: a variable index would put the
/// registers into memory.
inline __device__ uint4 shifted(uint4 low, uint4 high, unsigned shift) {
  std::uint32_t w[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
  if (shift & 8u)
    for (int i = 0; i < 6; ++i) w[i] = w[i + 2];
  if (shift & 4u)
    for (int i = 0; i < 5; ++i) w[i] = w[i + 1];
  const unsigned bits = shift % 4 * 8;
  for (int i = 0; i < 4; ++i) w[i] = std::uint32_t((std::uint64_t(w[i + 1]) << 32 | w[i]) >> bits);
  return uint4{w[0], w[1], w[2], w[3]};
}

template <class Bits>
inline __device__ bool item_aligned(const unsigned char* address) {
  return reinterpret_cast<std::uintptr_t>(address) % sizeof(Bits) == 0;
}

template <class Bits>
inline __device__ Bits load_item(const unsigned char* address) {
  if (item_aligned<Bits>(address)) return *reinterpret_cast<const Bits*>(global(address));
  std::uint64_t value = 0;
#pragma unroll 1  // rare: not worth the registers
  for (unsigned b = 0; b < sizeof(Bits); ++b) value |= std::uint64_t(global(address)[b]) << (8 * b);
  return Bits(value);
}

template <class Bits>
inline __device__ void store_item(unsigned char* address, Bits value) {
  if (item_aligned<Bits>(address)) {
    *reinterpret_cast<Bits*>(global(address)) = value;
    return;
  }
#pragma unroll 1
  for (unsigned b = 0; b < sizeof(Bits); ++b)
    global(address)[b] = static_cast<unsigned char>(std::uint64_t(value) >> (8 * b));
}

/// Moves the items of a lane one place down, puts one on top and returns the one that fell out. So a loop, not
/// unrolled, reaches each item: a variable index would put the lane into memory.
template <class Bits>
inline __device__ Bits push_item(uint4& lane, Bits item) {
  const auto lowest = Bits(sizeof(Bits) == 8 ? std::uint64_t(lane.y) << 32 | lane.x : lane.x);
  if constexpr (sizeof(Bits) == 8)
    lane = {lane.z, lane.w, std::uint32_t(item), std::uint32_t(std::uint64_t(item) >> 32)};
  else if constexpr (sizeof(Bits) == 4)
    lane = {lane.y, lane.z, lane.w, item};
  else
    lane = {lane.x >> 16 | lane.y << 16, lane.y >> 16 | lane.z << 16, lane.z >> 16 | lane.w << 16,
            lane.w >> 16 | std::uint32_t(item) << 16};
  return lowest;
}

/// Offsets in memory of consecutive logical indices.
class Walk {
 public:
  __device__ Walk(const DeviceTensor& tensor, std::int64_t first)
      : channels_(tensor.channels), positions_(tensor.positions) {
    const std::int64_t image_size = channels_ * positions_;
    const std::int64_t within = first % image_size;
    image_ = first - within;
    channel_ = within / positions_;
    position_ = within - channel_ * positions_;
  }

  __device__ std::int64_t offset() const { return image_ + position_ * channels_ + channel_; }

  __device__ void next() {
    if (++position_ < positions_) return;
    position_ = 0;
    if (++channel_ < channels_) return;
    channel_ = 0;
    image_ += channels_ * positions_;
  }

 private:
  std::int64_t channels_, positions_, image_, channel_, position_;
};

inline __device__ bool row_major(const DeviceTensor& tensor) { return tensor.channels == 1 && tensor.positions == 1; }

template <class Bits>
inline __device__ Bits load_one(const DeviceTensor& from, std::int64_t index) {
  return load_item<Bits>(from.data + Walk(from, index).offset() * std::int64_t(sizeof(Bits)));
}

/// Weights [first, first + count) of a tensor of `size`; the rest of the lane is 0. `written`: other threads write
/// theirs in the meantime.
template <class Bits>
inline __device__ Lane<Bits> load(const DeviceTensor& from, std::int64_t size, std::int64_t first, int count,
                                  bool written = false) {
  constexpr int width = Lane<Bits>::size;
  if (row_major(from) && count == width) {
    const unsigned char* address = from.data + first * std::int64_t(sizeof(Bits));
    const auto shift = unsigned(reinterpret_cast<std::uintptr_t>(address) % 16);
    const unsigned char* aligned = address - shift;
    if (shift == 0) return reinterpret<Lane<Bits>>(load_aligned(address));
    if (!written && aligned >= from.data && aligned + 32 <= from.data + size * std::int64_t(sizeof(Bits)))
      return reinterpret<Lane<Bits>>(shifted(load_aligned(aligned), load_aligned(aligned + 16), shift));
  }
  uint4 lane = {};
  Walk walk(from, first);
#pragma unroll 1
  for (int i = 0; i < width; ++i) {
    Bits item = 0;
    if (i < count) {
      item = load_item<Bits>(from.data + walk.offset() * std::int64_t(sizeof(Bits)));
      walk.next();
    }
    push_item(lane, item);
  }
  return reinterpret<Lane<Bits>>(lane);
}

template <class Bits>
inline __device__ void store(const DeviceTensor& to, std::int64_t first, int count, const Lane<Bits>& lane) {
  constexpr int width = Lane<Bits>::size;
  if (row_major(to) && count == width) {
    unsigned char* address = to.data + first * std::int64_t(sizeof(Bits));
    if (reinterpret_cast<std::uintptr_t>(address) % 16 == 0) return store_aligned(address, reinterpret<uint4>(lane));
  }
  uint4 rest = reinterpret<uint4>(lane);
  Walk walk(to, first);
#pragma unroll 1
  for (int i = 0; i < count; ++i) {
    store_item<Bits>(to.data + walk.offset() * std::int64_t(sizeof(Bits)), push_item(rest, Bits(0)));
    walk.next();
  }
}

}  // namespace prunecell::cuda
