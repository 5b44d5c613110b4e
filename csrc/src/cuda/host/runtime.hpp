// Calls of the CUDA runtime: their errors, the current device, memory.
#pragma once

#include "cuda/host/status.hpp"

#include <prunecell/error.hpp>
#include <prunecell/ops.hpp>

#include <cuda_runtime.h>

#include <cstddef>
#include <string>
#include <utility>

namespace prunecell::cuda {

/// Throws DeviceUnavailable where there is no driver or device, else DeviceError, with CUDA's words.
void check(cudaError_t error, const std::string& what);

/// Number of devices. Throws DeviceUnavailable where it is 0.
int device_count();

/// Makes a device the current one for a while.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;
  ~DeviceScope() { cudaSetDevice(before_); }

 private:
  int before_ = 0;
};

/// Work memory in the order of the context's stream: of the context's allocator, else of the device's memory pool.
class Scratch {
 public:
  Scratch(const Context& context, std::size_t bytes);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  unsigned char* data() const { return static_cast<unsigned char*>(memory_); }

 private:
  const Context& context_;
  void* memory_ = nullptr;
};

/// The device that has this memory. Throws InvalidArgument for memory that CUDA does not know as a device's.
int device_of(const void* memory);

/// Throws InvalidArgument unless `memory` is known to CUDA as memory of this device.
void check_memory(const std::string& what, const void* memory, int device);

/// Throws WrongState while the stream is captured into a graph: `what` needs an answer now.
void check_not_capturing(const std::string& what, cudaStream_t stream);

inline cudaStream_t stream_of(const Context& context) { return static_cast<cudaStream_t>(context.stream); }

/// Runs `body` and says how it ended.
Status status_of_current_exception();
template <class Body>
Status guarded(Body&& body) {
  try {
    std::forward<Body>(body)();
    return {};
  } catch (...) {
    return status_of_current_exception();
  }
}

}  // namespace prunecell::cuda
