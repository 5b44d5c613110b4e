// Whether there is a CUDA device to run on. The CUDA back end is a library of its own, libprunecell_cuda.so, which is
// looked for once, at first use, beside the library (or program) that holds prunecell and nowhere else. If it cannot be
// loaded, the reason is kept and given at each use.
#pragma once

#include <string>

namespace prunecell::cuda {

/// Whether operations can run on CUDA devices here: the plugin is there, so is a driver, so is a device.
bool is_available() noexcept;

/// Number of CUDA devices; 0 where is_available() is false.
int device_count() noexcept;

/// Why is_available() is false, in words; empty where it is true.
std::string unavailable_reason();

/// Number of the device that has this memory. Throws DeviceUnavailable, InvalidArgument for memory that is on none.
int device_of(const void* memory);

/// Takes the plugin from this file instead. Throws InvalidArgument for a path that is not absolute, DeviceUnavailable
/// where it cannot be loaded or is of another version (no code of it runs then), WrongState where another one is in
/// use.
void load_plugin(const std::string& path);

}  // namespace prunecell::cuda
