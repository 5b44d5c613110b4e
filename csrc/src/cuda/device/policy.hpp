// Every tuning number of the CUDA back end. None of them changes a result.
#pragma once

#include <cstdint>

namespace prunecell::cuda {

struct Policy {
  /// Threads per block; a multiple of 32.
  static constexpr int block_threads = 256;
  /// Blocks of a streaming kernel that a multiprocessor is to hold at least: bounds the registers of a thread.
  static constexpr int resident_blocks = 3;
  /// Blocks of a launch per multiprocessor, which share the tiles among them.
  static constexpr int blocks_per_processor = 8;
  /// Weights per tile; a multiple of what a warp loads at once, of any type.
  static constexpr std::int64_t tile_weights = 4096;
  /// Weights that a block counts before its 32-bit counters are emptied; a multiple of a tile.
  static constexpr std::int64_t run_weights = 1 << 30;
  /// Weights read to predict a bracket of keys.
  static constexpr std::int64_t sample_weights = 4096;
  /// Half-width of the prediction, in standard deviations of the sample.
  static constexpr double sample_deviations = 6;
};

}  // namespace prunecell::cuda
