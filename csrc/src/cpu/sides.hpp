// On which side of a bracket each of 64 weights lies.
#pragma once

#include <cstdint>

namespace prunecell::cpu {
namespace {

struct Sides {
  std::uint64_t reached = 0;  ///< bit per weight: at least the first key of the bracket
  std::uint64_t above = 0;    ///< more than the last
};

}  // namespace
}  // namespace prunecell::cpu
