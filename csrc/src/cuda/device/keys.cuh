// The keys of a lane, as selections rank them, and mask bits by the lane.
#pragma once

#include "cuda/device/block.cuh"
#include "cuda/device/lanes.cuh"
#include "semantics/semantics.hpp"

#include <bit>
#include <cstdint>

namespace prunecell::cuda {

struct Float16Weight {
  using Bits = std::uint16_t;
  static __device__ std::uint32_t key(Bits bits) { return semantics::key(semantics::Float16{bits}); }
};
struct BFloat16Weight {
  using Bits = std::uint16_t;
  static __device__ std::uint32_t key(Bits bits) { return semantics::key(semantics::BFloat16{bits}); }
};
struct Float32Weight {
  using Bits = std::uint32_t;
  static __device__ std::uint32_t key(Bits bits) { return semantics::key(reinterpret<float>(bits)); }
};
struct Float64Weight {
  using Bits = std::uint64_t;
  static __device__ std::uint32_t key(Bits bits) { return semantics::key(reinterpret<double>(bits)); }
};

/// body(weight type) for the type that is known at run time; all threads of a block take the same way.
template <class Body>
inline __device__ void with_weight_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float16: body(Float16Weight{}); break;
    case DType::bfloat16: body(BFloat16Weight{}); break;
    case DType::float32: body(Float32Weight{}); break;
    case DType::float64: body(Float64Weight{}); break;
  }
}

/// The same for operations that move weights and never look at them.
template <class Body>
inline __device__ void with_item_bits(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16: body(std::uint16_t{}); break;
    case DType::float32: body(std::uint32_t{}); break;
    case DType::float64: body(std::uint64_t{}); break;
  }
}

template <int width>
struct LaneKeys {
  std::uint32_t key[width];
};

template <class Weight>
inline __device__ auto magnitude_keys(const Lane<typename Weight::Bits>& lane) {
  constexpr int width = Lane<typename Weight::Bits>::size;
  LaneKeys<width> out;
#pragma unroll
  for (int i = 0; i < width; ++i) out.key[i] = Weight::key(lane.item[i]);
  return out;
}

/// Numbers of elements first and following; `first` is a multiple of the width.
template <int width>
inline __device__ LaneKeys<width> random_keys(const DeviceJob& job, std::int64_t first) {
  LaneKeys<width> out;
#pragma unroll
  for (int i = 0; i < width; i += 4) {
    const auto block =
        semantics::philox(std::uint64_t(first + i) / 4, job.selection.tensor, job.selection.rise, job.selection.seed);
    if constexpr (width < 4) {
      const bool upper = first % 4 != 0;
      out.key[0] = upper ? block.word[2] : block.word[0];
      out.key[1] = upper ? block.word[3] : block.word[1];
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) out.key[i + j] = block.word[j];
    }
  }
  return out;
}

/// The first `count` bits, 0 to 32 of them.
inline __device__ std::uint32_t low_bits(int count) { return count == 0 ? 0u : ~0u >> (32 - count); }

/// Bits of the lane's weights in a mask, 0 behind the last; without words all are kept.
inline __device__ std::uint32_t kept_bits(const std::uint32_t* words, std::int64_t first, int count) {
  if (count == 0) return 0;
  const std::uint32_t bits = words ? global(words)[first / 32] >> (first % 32) : ~0u;
  return bits & low_bits(count);
}

/// body(key) for the weights of a run; those that the old mask prunes have key 0.
template <class Body>
inline __device__ void for_each_magnitude(const DeviceJob& job, std::int64_t begin, std::int64_t end, Body&& body) {
  with_weight_type(job.dtype, [&](auto weight) {
    using Weight = decltype(weight);
    using Bits = typename Weight::Bits;
    for_each_lane<Lane<Bits>::size>(begin, end, [&](std::int64_t first, int count) {
      const auto keys = magnitude_keys<Weight>(load<Bits>(job.weights, job.size, first, count));
      const std::uint32_t kept = kept_bits(job.old, first, count);
#pragma unroll
      for (int i = 0; i < Lane<Bits>::size; ++i)
        if (i < count) body(kept >> i & 1u ? keys.key[i] : 0u);
    });
  });
}

/// Writes the words of a warp, of which each lane has `width` bits. All lanes of the warp call it.
template <int width>
inline __device__ void store_bits(std::uint32_t* words, std::int64_t first, int count, std::uint32_t bits) {
  constexpr int lanes_per_word = 32 / width;
  std::uint32_t word = bits << (lane_number() % lanes_per_word * width);
#pragma unroll
  for (int step = 1; step < lanes_per_word; step *= 2) word |= __shfl_xor_sync(all_lanes, word, step);
  if (count > 0 && lane_number() % lanes_per_word == 0) global(words)[first / 32] = word;
}

}  // namespace prunecell::cuda
