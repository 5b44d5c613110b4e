// A kernel launch, from grid to threads.
#pragma once

#include <simt/vector_types.h>

#include <functional>

namespace simt {

struct Launch {
  std::function<void()> body;  ///< what one thread does
  const void* kernel = nullptr;
  dim3 grid, block;

  unsigned threads() const { return block.x * block.y * block.z; }
};

/// Runs all blocks, one after the other. One grid at a time: there is one shared memory.
void run_grid(const Launch& launch);

/// The launch that is running, or null.
const Launch* running_launch();

}  // namespace simt
