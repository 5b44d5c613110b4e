// What an operation leaves on the device for each job: its result, and why it failed where it did.
#pragma once

#include "api/unreachable.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cuda {

struct Outcome {
  enum class Status : std::uint32_t {
    done,
    unreachable,  ///< no level prunes enough weights; `census` says why
    wrong_size    ///< packing: the mask keeps `kept` weights, which is not what the values hold
  };
  Result result;
  Census census;
  std::int64_t kept;
  Status status;
  unsigned int changed;  ///< Result::changed, as atomics take it
};

}  // namespace prunecell::cuda
