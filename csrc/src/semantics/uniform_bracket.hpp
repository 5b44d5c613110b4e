// Where the k-th smallest of uniform draws probably lies. A miss costs a round of counting, never the answer.
#pragma once

#include "semantics/host_device.hpp"
#include "semantics/key_bracket.hpp"

#include <cmath>
#include <cstdint>

namespace prunecell::semantics {

/// A share of the draws below a quantile, and its bounds.
struct Quantile {
  double low, high;
};

/// Bounds of a quantile of so many draws: standard deviations of the binomial distribution to each side.
PRUNECELL_HOST_DEVICE static inline Quantile quantile(double share, double draws, double deviations) {
  const double margin = deviations * std::sqrt(share * (1 - share) / draws) + 2 / draws;
  const double low = share - margin, high = share + margin;
  return {low > 0 ? low : 0, high < 1 ? high : 1};
}

/// Bracket of the rank-th smallest of `draws` uniform keys, six standard deviations to each side.
PRUNECELL_HOST_DEVICE static inline KeyBracket uniform_bracket(std::int64_t rank, std::int64_t draws) {
  const Quantile bounds = quantile(double(rank) / double(draws), double(draws), 6);
  constexpr double keys = 4294967296.0, last = keys - 1;  // a larger double has no uint32
  const double low = bounds.low * keys, high = bounds.high * keys;
  return {std::uint32_t(low < last ? low : last), std::uint32_t(high < last ? high : last)};
}

}  // namespace prunecell::semantics
