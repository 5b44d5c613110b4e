// Work on the weights of cells that nobody wants results of.
#pragma once

#include "cuda/loader/cuda_plugin.hpp"

#include <prunecell/ops.hpp>

#include <cstddef>
#include <cstring>
#include <span>

namespace prunecell {

/// Applies the masks of the jobs.
inline void mask_all(const Context& context, std::span<const ApplyJob> jobs) {
  if (jobs.empty()) return;
  Context without_results = context;
  without_results.pending = nullptr;
  apply_masks(without_results, jobs, {});
}

/// Copies between tensors of equal size, type and layout.
inline void copy_weights(const Context& context, const TensorView& from, const TensorView& to) {
  const std::size_t bytes = std::size_t(from.size) * item_size(from.dtype);
  if (context.device.kind == Device::Kind::cpu)
    std::memcpy(to.data, from.data, bytes);
  else
    cuda::raise(cuda::plugin().copy_on_stream(context, to.data, from.data, bytes));
}

}  // namespace prunecell
