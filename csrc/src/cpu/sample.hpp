// A small sample of a tensor's keys, which predicts where a share of them ends.
#pragma once

#include "../key_search.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <vector>

namespace prunecell::cpu {

class Sample {
 public:
  /// Magnitude keys of weights that are spread evenly over the tensor, each somewhere in its stretch, lest the sample
  /// sees one phase of periodic data. Weights that `old` prunes have key 0.
  explicit Sample(const Job& job);

  /// Where the share `kept` of the weights begins that have the largest keys, within `known`. A guess: may be wrong.
  KeyBracket bracket(const KeyBracket& known, double kept) const;

 private:
  std::vector<std::uint32_t> keys_;
};

}  // namespace prunecell::cpu
