// A small sample of a tensor's keys, which predicts where a share of them ends.
#pragma once

#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <vector>

namespace prunecell::cpu {

class Sample {
 public:
  static constexpr double deviations = 3;

  /// Magnitude keys of `count` weights, in runs of `run` that lie side by side in memory: to read 16 costs what one
  /// costs. The runs are spread evenly over the tensor, each somewhere in its stretch, lest the sample sees one phase
  /// of periodic data. Weights that `old` prunes have key 0. `run` divides `count`, which is at most the tensor's size.
  Sample(const Job& job, std::int64_t count, std::int64_t run);

  /// Where the share `kept` of the weights begins that have the largest keys, within `known`: so many standard
  /// deviations to each side, as the runs differ, but no more than the share `widest` of the sample in all. A guess:
  /// may be wrong.
  KeyBracket bracket(const KeyBracket& known, double kept, double widest) const;

 private:
  double variance_above(std::uint32_t limit) const;

  std::int64_t run_;
  std::vector<std::uint32_t> keys_;
};

/// Where the wanted-th smallest of so many uniform keys lies, within `known`: six standard deviations to each side.
KeyBracket uniform_bracket(const KeyBracket& known, std::int64_t wanted, std::int64_t keys);

}  // namespace prunecell::cpu
