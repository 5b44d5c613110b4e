// Kernels executed by another program than the shim, which has them in another form.
#pragma once

#include <simt/vector_types.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace simt {

struct KernelLaunch {
  const void* kernel;
  std::span<const std::byte> parameters;  ///< each at its alignment behind the one before
  dim3 grid, block;
};

using RunBlock = std::function<void(uint3 index)>;

/// Gives the function that runs the blocks of one launch, in the order of the options.
using Executor = std::function<RunBlock(const KernelLaunch&)>;

/// From now on all kernels are executed so.
void execute_with(Executor executor);

/// Name of the kernel, demangled.
std::string kernel_name(const void* kernel);

/// The allocation around an address; empty where there is none.
std::span<const char> live_memory(const void* address);

}  // namespace simt
