// A small sample of a tensor's keys, which predicts where a share of them ends.
#pragma once

#include "fillers/selection.hpp"
#include "semantics/key_bracket.hpp"

#include <cstdint>
#include <vector>

namespace prunecell::cpu {

class Sample {
 public:
  static constexpr double deviations = 3;

  /// Magnitude keys of `count` weights, in runs of `run` that lie side by side in memory: to read 16 costs what one
  /// costs. The runs are spread evenly over the tensor, each somewhere in its stretch, lest the sample sees one phase
  /// of periodic data. Weights that `old` prunes have key 0. `run` divides `count`, which is at most the tensor's size.
  Sample(const Ranked& ranked, std::int64_t count, std::int64_t run);

  /// Bracket, within another one, of the limit that keeps the share `kept` of the weights: so many standard deviations
  /// to each side, as the runs differ, but no more than the share `widest` of the sample in all. It may miss.
  KeyBracket bracket(const KeyBracket& within, double kept, double widest) const;

 private:
  double variance_above(std::uint32_t limit) const;

  std::int64_t run_;
  std::vector<std::uint32_t> keys_;
};

}  // namespace prunecell::cpu
