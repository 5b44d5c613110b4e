// One call on one stream: its jobs and work memory on the device, and the launch of its kernels.
#pragma once

#include "cuda/device/device_job.hpp"
#include "cuda/device/policy.hpp"
#include "cuda/host/plugin.hpp"
#include "cuda/host/runtime.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace prunecell::cuda {

/// Work memory beside the jobs.
enum class Needs : std::uint8_t { nothing, search, starts };

class Session {
 public:
  /// Puts the jobs on the device, which is the current one. Throws what check() throws, having launched nothing that
  /// writes results.
  Session(const Context& context, std::span<const DeviceJob> jobs, Outcomes outcomes, Needs needs);

  const Batch& batch() const { return batch_; }
  cudaStream_t stream() const { return stream_of(context_); }

  /// At most one block per piece of `work`, none for none; the kernel strides over what is more.
  template <class... Parameters>
  void launch(void (*kernel)(Parameters...), std::int64_t work, Parameters... parameters) const {
    if (work == 0) return;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(unsigned(std::min(work, max_blocks_)));
    config.blockDim = dim3(unsigned(Policy::block_threads));
    config.stream = stream();
    check(cudaLaunchKernelEx(&config, kernel, parameters...), "kernel launch");
  }

  /// Reads the outcomes where they are wanted on the host. After the last launch.
  void finish();

 private:
  void place(std::span<const DeviceJob> jobs) const;

  const Context& context_;
  std::int64_t max_blocks_ = 0;
  Outcomes wanted_;
  std::optional<Scratch> scratch_;
  Batch batch_ = {};
};

}  // namespace prunecell::cuda
