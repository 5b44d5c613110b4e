// Parameters that the tests of cells train with, on the CPU and on devices.
#pragma once

#include <prunecell/prune_cell.hpp>

namespace schedules {

using namespace prunecell;

inline Parameters gradual(bool in_place = true, Filler filler = Filler::iter_nonstruct) {
  return {.mode = Mode::gradual,
          .filler = filler,
          .threshold = 0.6,
          .delta = 0.01,
          .start = 0.2,
          .stepsize = 64,
          .gamma = 0.2,
          .in_place = in_place};
}

}  // namespace schedules
