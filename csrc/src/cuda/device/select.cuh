// Applying a mask to one lane: the select that a pass over the weights may end with.
#pragma once

#include "cuda/device/keys.cuh"

namespace prunecell::cuda {

/// Whether applying the mask writes to this tensor.
inline __device__ bool is_destination(const DeviceJob& job, const DeviceTensor& tensor) {
  return tensor.data == (job.out.data ? job.out.data : job.weights.data);
}

/// Weights [first, first + count) go to their destination where `kept` has a bit, else `otherwise` or +0. Returns
/// whether a weight in place was not masked yet; one that was costs no write.
template <class Bits>
inline __device__ bool select_lane(const DeviceJob& job, std::int64_t first, int count, const Lane<Bits>& weights,
                                   std::uint32_t kept) {
  constexpr int width = Lane<Bits>::size;
  Lane<Bits> chosen = {};
  if (job.otherwise.data)
    chosen = load<Bits>(job.otherwise, job.size, first, count, is_destination(job, job.otherwise));
  Bits lost = 0;
#pragma unroll
  for (int i = 0; i < width; ++i) {
    if (kept >> i & 1u)
      chosen.item[i] = weights.item[i];
    else
      lost = Bits(lost | weights.item[i]);
  }
  if (job.out.data) {
    store(job.out, first, count, chosen);
    return false;
  }
  if (!job.otherwise.data && lost == 0) return false;
  store(job.weights, first, count, chosen);
  return count > 0;
}

/// What a run of weights adds to the outcome of its job. All lanes of the warp call it.
inline __device__ void add_to_outcome(Outcome& outcome, unsigned long long zeros, bool changed) {
  add_warp(zeros, reinterpret_cast<unsigned long long*>(&outcome.result.zeros));
  if (__any_sync(all_lanes, changed) && lane_number() == 0) atomicOr(&outcome.changed, 1u);
}

}  // namespace prunecell::cuda
