// What host and kernels share: the jobs of a call as they lie in device memory, and what is written for each of them.
#pragma once

#include "cuda/device/outcome.hpp"
#include "fillers/selection.hpp"
#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cuda {

/// A dense tensor on the device: TensorView without what the job knows already.
struct DeviceTensor {
  unsigned char* data;
  std::int64_t channels, positions;  ///< Layout; both are 1 where it is row-major
};

struct DeviceJob {
  DeviceTensor weights, out, otherwise;  ///< packing: dense weights and, as `out`, their values
  std::uint32_t* mask;
  const std::uint32_t* old;
  const std::uint32_t* fallback;
  std::int64_t size;        ///< of the dense tensor
  std::int64_t first_tile;  ///< number of the job's first tile, all jobs of the call numbered through
  std::int64_t need;        ///< weights to prune; packing: values to expect
  Selection selection;
  Limit limit;  ///< where it is known, and nothing is searched
  DType dtype;
};

/// As many jobs as fit a kernel's parameters (4 KiB). They travel that way since a captured launch keeps its
/// parameters, while host memory would have to outlive the graph.
struct JobChunk {
  static constexpr int capacity = 22;
  int first, count;  ///< place among the jobs of the call
  DeviceJob jobs[capacity];
};
static_assert(sizeof(JobChunk) <= 4000);

/// The search of a job for the key that decides, and its decision.
struct Search {
  enum class State : std::uint8_t {
    searching,
    keep_old,  ///< the mask is the old one
    prune_all,
    prune_up_to,  ///< keys up to the limit go, those equal to it before index tie_end; or the job falls back
    unreachable
  };
  KeyBracket bracket, whole;
  std::int64_t rank;  ///< of the key that decides
  std::int64_t ties;  ///< off the grid: how many of the weights with the key `limit` go
  std::int64_t tie_end;
  unsigned long long old_zeros;  ///< weights that the old mask prunes, where they are not ranked
  unsigned long long survivors;  ///< weights kept of a tensor that may fall back, which it does if there are none
  std::uint32_t limit;
  bool census;  ///< the weights within and beyond whole.last are to be counted
  State state;
};

/// KeyCounts as integer atomics take them.
struct DeviceCounts {
  unsigned long long bucket[KeyBracket::buckets];
  unsigned long long below;
};

/// The jobs of one call with their work memory, all on the device. Passed to kernels by value.
struct Batch {
  DeviceJob* jobs;
  Search* searches;            ///< one per job; null where nothing is searched
  DeviceCounts* counts;        ///< likewise; all 0 between the kernels that use them
  unsigned long long* starts;  ///< packing: per tile, the kept weights of the tile, then of all before it
  Outcome* outcomes;           ///< one per job
  unsigned int* failed;        ///< not 0: some job cannot be done, and nothing may be written for any
  std::int64_t tiles;
  int count;
};

}  // namespace prunecell::cuda
