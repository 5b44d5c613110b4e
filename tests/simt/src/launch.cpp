#include "launch.hpp"

#include "block.hpp"
#include "fault.hpp"
#include "memory.hpp"
#include "module.hpp"
#include "sanitizers.hpp"

#include <simt/control.hpp>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace simt {
namespace {

const Launch* running = nullptr;

/// A block finds in its shared memory nothing that another one left.
void poison_shared_memory(const Module& module) {
  for (const std::span<char> variable : module.shared_memory()) {
    sanitizers::forget(variable.data(), variable.size());
    fill(variable, fresh_byte);
  }
}

std::vector<unsigned> block_order(unsigned blocks, std::mt19937_64& random) {
  std::vector<unsigned> order(blocks);
  std::iota(order.begin(), order.end(), 0u);
  if (options().order == Order::reverse) std::reverse(order.begin(), order.end());
  if (options().order == Order::random) std::shuffle(order.begin(), order.end(), random);
  return order;
}

}  // namespace

const Launch* running_launch() { return running; }

void run_grid(const Launch& launch) {
  static std::uint64_t launches = 0;
  std::mt19937_64 random(options().seed + launches++);

  running = &launch;
  {
    const FatalSignals named;
    const Module& module = Module::of(launch.kernel);
    gridDim = launch.grid;
    blockDim = launch.block;
    Block block(launch, random);
    for (const unsigned number : block_order(launch.grid.x * launch.grid.y * launch.grid.z, random)) {
      poison_shared_memory(module);
      const unsigned row = number / launch.grid.x;
      block.run({number % launch.grid.x, row % launch.grid.y, row / launch.grid.y});
    }
    check_guards();
  }
  running = nullptr;
}

}  // namespace simt
