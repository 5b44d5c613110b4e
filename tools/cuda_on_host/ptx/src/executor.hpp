// Kernels that are launched over the shim, executed as nvcc compiled them.
#pragma once

#include <string>

namespace ptx {

/// From now on kernels are the entries of the PTX files in `folder`.
void execute_kernels_of(const std::string& folder);

}  // namespace ptx
