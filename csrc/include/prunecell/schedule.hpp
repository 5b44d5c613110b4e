// When masks rise, and to which threshold. A value: copy it, ask the copy, keep the copy or not.
#pragma once

#include <prunecell/ops.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace prunecell {

enum class Mode : std::uint8_t {
  identity,  ///< nothing is pruned
  fixed,     ///< "Static": pruned to `threshold` at initialization
  gradual    ///< pruned to `start` at initialization, raised by `gamma` until `threshold`
};

/// Parameters of a cell. Floats are kept as given; every formula uses them rounded to float32.
struct Parameters {
  Mode mode = Mode::identity;
  Filler filler = Filler::random;
  double threshold = 0.2;     ///< share to prune, [0, 1]
  double delta = 0.001;       ///< grid step of IterNonStruct, finite and > 0 as float32
  double start = 0.1;         ///< first share of Gradual, [0, 1]
  std::int64_t stepsize = 0;  ///< samples between rises, >= 0; 0: one rise at each end_epoch
  double gamma = 0.05;        ///< added to the share at a rise, [0, 1]
  bool in_place = true;       ///< prune the weights themselves, not a copy
  std::uint64_t seed = 0;     ///< of the Random filler
  Ties ties = Ties::prune;    ///< keep: IterNonStruct leaves a tensor alone that would lose all of its weights

  friend bool operator==(const Parameters&, const Parameters&) = default;
};

/// The words of the INI file and of Python: Identity, Static, Gradual; None, Random, IterNonStruct; prune, keep.
const char* name(Mode mode);
const char* name(Filler filler);
const char* name(Ties ties);

/// The reverse. Throw InvalidArgument listing the legal words.
Mode parse_mode(const std::string& word);
Filler parse_filler(const std::string& word);
Ties parse_ties(const std::string& word);

/// Throws InvalidArgument naming the first parameter (by its Python name), its value and what is accepted.
void validate(const Parameters& parameters);

/// The rule of a cell's filler, for one tensor at one rise. `threshold`: the share to prune now.
Rule rule_of(const Parameters& parameters, float threshold, std::uint64_t seed, std::uint32_t tensor,
             std::uint32_t rise);

/// One line per parameter that differs, "threshold: 0.5, here 0.3"; empty where all agree.
std::vector<std::string> differences(const Parameters& theirs, const Parameters& ours);

class Schedule {
 public:
  /// Throws InvalidArgument, see validate().
  explicit Schedule(const Parameters& parameters);

  const Parameters& parameters() const { return parameters_; }

  /// The share to prune now, a float32 value: 0 in Identity, `threshold` in Static.
  float current() const { return current_; }
  std::int64_t rises() const { return rises_; }
  /// Samples counted since the last rise that `stepsize` caused.
  std::int64_t counter() const { return counter_; }

  /// Counts `batch_size` samples. True: the masks are to be rebuilt at current(); at most once per call,
  /// surplus samples are carried. Throws InvalidArgument for batch_size < 0.
  bool update(std::int64_t batch_size);

  /// True: the masks are to be rebuilt at current(). Does nothing where stepsize > 0.
  bool end_epoch();

  /// Whether no rise is to come: Static, and Gradual at its threshold.
  bool ended() const;

  /// Continues a saved schedule. Throws InvalidArgument for values no schedule reaches.
  void resume(float current, std::int64_t rises, std::int64_t counter);

 private:
  bool rise();

  Parameters parameters_;
  float current_;
  std::int64_t rises_ = 0;
  std::int64_t counter_ = 0;
};

}  // namespace prunecell
