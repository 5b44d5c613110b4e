// Where the limit of a mask probably lies. Only time depends on it: search() proves each guess.
#pragma once

#include "cpu/kth_smallest/levels.hpp"
#include "cpu/kth_smallest/sample.hpp"
#include "cpu/kth_smallest/sweep.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <optional>

namespace prunecell::cpu {

class Guess {
 public:
  /// For a mask that keeps `room` weights at most. Team and levels outlive the guess.
  Guess(const Job& job, const Levels& levels, std::int64_t room, Team& team);

  /// A bracket within one that holds the limit: from a small sample, narrowed by ever larger samples of tiles. Few
  /// enough weights lie in it to be listed, if they lie elsewhere as they do there.
  KeyBracket by_tiles(const KeyBracket& known);

  /// From a large sample of runs of weights alone: where tiles mislead.
  KeyBracket by_sample(const KeyBracket& known);

 private:
  double room_to_list() const { return double(team_.room()); }
  std::optional<KeyBracket> narrowed(const KeyBracket& bracket, const PassResult& seen, double deviations) const;
  bool told_without_list(const KeyBracket& bracket) const;
  double expected(const KeyBracket& bracket, const PassResult& seen) const;
  double expected_by_sample() const;
  KeyBracket likeliest_level(const KeyBracket& bracket, const PassResult& seen) const;

  const Job& job_;
  const Levels& levels_;
  Team& team_;
  std::int64_t size_, tiles_;
  double share_;                  ///< of the weights, that may stay
  std::optional<Sample> sample_;  ///< the large one
};

}  // namespace prunecell::cpu
