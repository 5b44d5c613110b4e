// A kernel launch, from grid to threads.
#pragma once

#include <simt/launch.h>
#include <simt/vector_types.h>

namespace simt {

struct Launch {
  Call call;
  dim3 grid, block;

  unsigned threads() const { return block.x * block.y * block.z; }
};

/// Runs all blocks, one after the other. One grid at a time: there is one shared memory.
void run_grid(const Launch& launch);

/// The launch that is running, or null.
const Launch* running_launch();

}  // namespace simt
