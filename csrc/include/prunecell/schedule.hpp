// When masks rise, and to which threshold. A value: copy it, ask the copy, keep the copy or not.
#pragma once

#include <prunecell/parameters.hpp>

#include <cstdint>

namespace prunecell {

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
