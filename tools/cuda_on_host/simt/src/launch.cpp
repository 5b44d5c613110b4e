#include "launch.hpp"

#include "block.hpp"
#include "fault.hpp"
#include "memory.hpp"
#include "module.hpp"
#include "sanitizers.hpp"

#include <simt/control.hpp>
#include <simt/executor.hpp>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace simt {
namespace {

const Launch* running = nullptr;
Executor executor;

/// Poisons shared memory, so that a block finds nothing of another one.
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

void run_blocks(const Launch& launch, std::mt19937_64& random, const RunBlock& run_block) {
  for (const unsigned number : block_order(launch.grid.x * launch.grid.y * launch.grid.z, random)) {
    const unsigned row = number / launch.grid.x;
    run_block({number % launch.grid.x, row % launch.grid.y, row / launch.grid.y});
  }
}

}  // namespace

const Launch* running_launch() { return running; }

void execute_with(Executor other) { executor = std::move(other); }

std::string kernel_name(const void* kernel) { return Module::of(kernel).name_of(kernel); }

void run_grid(const Launch& launch) {
  static std::uint64_t launches = 0;
  std::mt19937_64 random(options().seed + launches++);

  running = &launch;
  {
    const FatalSignals named;
    if (executor) {
      run_blocks(launch, random, executor({launch.call.kernel, launch.call.parameters, launch.grid, launch.block}));
    } else {
      const Module& module = Module::of(launch.call.kernel);
      gridDim = launch.grid;
      blockDim = launch.block;
      Block block(launch, random);
      run_blocks(launch, random, [&](uint3 index) {
        poison_shared_memory(module);
        block.run(index);
      });
    }
    check_guards();
  }
  running = nullptr;
}

}  // namespace simt
