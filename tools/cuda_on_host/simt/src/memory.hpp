// Device and pinned memory: the allocations, with guards around them.
#pragma once

#include <simt/runtime_types.h>

#include <cstddef>
#include <span>

namespace simt {

struct Allocation {
  char* data = nullptr;
  std::size_t size = 0;
  cudaMemoryType type = cudaMemoryTypeUnregistered;
  int device = 0;
  bool of_graph = false;  ///< lives as the graph runs
  bool dying = false;     ///< cudaFreeAsync was called
  std::span<char> block;  ///< with the guards

  bool holds(const void* address, std::size_t bytes) const {
    const auto* first = static_cast<const char*>(address);
    return first >= data && bytes <= size && first - data <= std::ptrdiff_t(size - bytes);
  }
};

/// Null where memory is exhausted. Filled with fresh_byte.
void* allocate(std::size_t size, cudaMemoryType type, int device, bool of_graph = false);

/// The allocation that starts at `data`, or null.
Allocation* allocation_at(const void* data);

/// The allocation that the address lies in or just behind, or null.
const Allocation* allocation_around(const void* address);

/// Fills with freed_byte; later writes there are found when the next kernel ends.
void deallocate(const Allocation& allocation);

// The life of a graph's memory, each time the graph runs.
void revive(const Allocation& allocation);
void bury(const Allocation& allocation);

/// Faults after a write around an allocation, or into freed memory.
void check_guards();

/// While this lives, device memory may be read and written; else the address sanitizer stops the host that tries.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

/// Sets memory behind the back of the sanitizers.
void fill(std::span<char> memory, unsigned char byte);

}  // namespace simt
