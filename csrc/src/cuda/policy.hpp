// Every tuning number of the CUDA back end. None of them changes a result.
#pragma once

#include <cstdint>

namespace prunecell::cuda {

struct Policy {
  static constexpr int block_threads = 256;       ///< threads per block; a multiple of 32
  static constexpr int resident_blocks = 3;       ///< blocks of a streaming kernel that a multiprocessor holds at least
  static constexpr int blocks_per_processor = 8;  ///< blocks of a launch per multiprocessor; they stride over the tiles
  static constexpr std::int64_t tile_weights =
      4096;  ///< weights per tile; a multiple of what the warps of a block load at once
  static constexpr std::int64_t run_weights =
      1 << 30;  ///< weights that a block counts before its 32-bit counters are emptied
  static constexpr std::int64_t sample_weights = 4096;  ///< weights read to predict a bracket of keys
  static constexpr double sample_deviations =
      6;  ///< half-width of the prediction, in standard deviations of the sample
};

}  // namespace prunecell::cuda
