// The core's side of the CUDA plugin.
#pragma once

#include "cuda/host/plugin.hpp"

#include <cstddef>
#include <cstdint>

namespace prunecell::cuda {

/// The plugin, loaded at first use. Throws DeviceUnavailable, saying why there is none.
const Plugin& plugin();

/// Throws the exception that a status stands for.
void raise(const Status& status);

/// Memory of a CUDA device.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(int device, std::size_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  ~DeviceMemory();

  void* data() const { return data_; }

 private:
  int device_ = 0;
  void* data_ = nullptr;
};

}  // namespace prunecell::cuda
