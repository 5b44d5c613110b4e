// A rule as a selection by rank: which keys the weights have, which of them decides, and what becomes of equal ones.
// The k-th-smallest searches of both back ends know selections only; see README.md.
#pragma once

#include <prunecell/types.hpp>

#include <cstdint>

namespace prunecell {

/// Plain data, which goes to a device as it is.
struct Selection {
  /// What the weights are ranked by.
  enum class Keys : std::uint8_t {
    none,        ///< nothing: the mask stays as it is
    magnitudes,  ///< |w| as float32 bits; weights that the old mask prunes rank first, with key 0
    numbers      ///< numbers drawn by index; weights that the old mask prunes stay pruned and are not ranked
  };
  Keys keys = Keys::none;
  bool on_grid = false;         ///< limits are multiples of delta, and weights at the limit go together
  bool spares_tensors = false;  ///< a selection of all weights is none: the mask is the fallback
  std::uint32_t tensor = 0, rise = 0;
  std::uint64_t seed = 0;  ///< with tensor and rise: of the numbers
  float threshold = 0, delta = 0;

  constexpr bool ranks_magnitudes() const { return keys == Keys::magnitudes; }
  constexpr bool draws_numbers() const { return keys == Keys::numbers; }
};

/// Weights of one tensor as a selection sees them.
struct Ranked {
  TensorView weights;
  MaskView old;  ///< no words: all kept
  Selection selection;
};

}  // namespace prunecell
