// Where the limit of a mask probably lies. Only time depends on it: a sweep over all weights decides.
#pragma once

#include "cpu/kth_smallest/levels.hpp"
#include "cpu/kth_smallest/sample.hpp"
#include "cpu/kth_smallest/sweep.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <optional>

namespace prunecell::cpu {

class Prediction {
 public:
  /// For a mask that keeps `most_kept` weights at most. All arguments outlive the prediction.
  Prediction(const Ranked& ranked, const Levels& levels, std::int64_t most_kept, Workers& workers);

  /// A bracket within one that holds the limit: from a small sample, narrowed by ever larger samples of tiles. It holds
  /// few enough weights to be collected, if the other tiles are like those of the samples.
  KeyBracket from_tiles(const KeyBracket& within);

  /// The same from a large sample of runs of weights, where tiles mislead.
  KeyBracket from_sample(const KeyBracket& within);

 private:
  double capacity() const { return double(workers_.candidate_capacity()); }
  std::optional<KeyBracket> narrowed(const KeyBracket& bracket, const SweepResult& seen, double deviations) const;
  bool needs_no_candidates(const KeyBracket& bracket) const;
  double expected(const KeyBracket& bracket, const SweepResult& seen) const;
  double expected_from_sample() const;
  KeyBracket likeliest_level(const KeyBracket& bracket, const SweepResult& seen) const;

  const Ranked& ranked_;
  const Levels& levels_;
  Workers& workers_;
  std::int64_t size_, tiles_;
  double share_;                  ///< of the weights that may stay
  std::optional<Sample> sample_;  ///< the large one
};

}  // namespace prunecell::cpu
