// Settings and questions of tests. The library under test never includes this.
#pragma once

#include <simt/runtime_types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace simt {

/// In which order ready threads, and the blocks of a grid, run.
enum class Order { forward, reverse, random };

/// When work in streams is done: at once, or not before the host waits for it.
enum class Execution { eager, deferred };

/// Environment variables set the first four where a program starts, for suites that are not written in C++.
struct Options {
  Order order = Order::forward;            ///< SIMT_ORDER: forward, reverse or random
  std::uint64_t seed = 1;                  ///< SIMT_SEED, of the random order
  Execution execution = Execution::eager;  ///< SIMT_EXECUTION: eager or deferred
  int devices = 1;                         ///< SIMT_DEVICES
  std::size_t misalignment = 0;            ///< bytes by which device pointers allocated from now on miss 256
  cudaError_t driver = cudaSuccess;        ///< result of every call where there is no usable driver
  int multiprocessors = 2;                 ///< few, so that grids are small
  int blocks_per_multiprocessor = 2;       ///< result of the occupancy calculation
};

/// The options in force; changed between calls, not within kernels.
Options& options();

/// Makes the `nth` next call of a runtime function fail, 1 being the very next: inject("cudaMalloc", 1, ...). An error
/// injected into a launch leaves the kernel undone.
void inject(std::string_view function, int nth, cudaError_t error);

/// Calls of a runtime function since the last reset.
std::size_t calls(std::string_view function);

/// Device and host allocations that are not freed yet.
std::size_t live_allocations();

/// Starting state: options as at program start, no injected errors, no counts, no last error, device 0.
void reset();

/// Bytes of device memory before the first write, and of memory that was freed.
inline constexpr unsigned char fresh_byte = 0xcb, freed_byte = 0xdd;

}  // namespace simt
