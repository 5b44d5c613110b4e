// Part of a plugin whose kernels are executed as nvcc compiled them: sets the executor when the plugin is loaded.
#include "src/executor.hpp"

namespace {

const bool chosen = (ptx::execute_kernels_of(PTX_FOLDER), true);

}  // namespace
