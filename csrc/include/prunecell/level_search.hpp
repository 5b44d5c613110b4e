// The threshold search of IterNonStruct in a form whose counts add up: for a tensor that is split over
// threads, ranks or devices, or a threshold that spans several tensors. All participants hold the same
// search, each counts its own weights, the sums go back to every search:
//
//   LevelSearch search(total_size, threshold, delta);
//   std::vector<std::int64_t> counters(LevelSearch::counter_count);
//   while (!search.done()) {
//     std::ranges::fill(counters, 0);
//     LevelJob job{&search, weights, {}, counters.data()};
//     count_levels(context, {&job, 1});
//     all_reduce_sum(counters);
//     search.advance(counters);
//   }
//
// The first bracket does not depend on the data, and max_rounds bounds the rounds whatever the level is.
#pragma once

#include <prunecell/ops.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace prunecell {

/// All that a search needs to continue: see LevelSearch::save().
struct LevelSearchState {
  std::int64_t size = 0;
  float threshold = 0, delta = 0;
  int rounds = 0;
  std::uint32_t first_key = 0;
  std::int64_t below = 0, inside = 0;  ///< weights below the bracket and in it

  friend bool operator==(const LevelSearchState&, const LevelSearchState&) = default;
};

/// A value. One thread at a time advances a search; while nobody does, any number may count over it.
class LevelSearch {
 public:
  /// Buckets of the bracket, then four counters: weights below the bracket and, in the first round only,
  /// finite weights beyond the last level, Inf and NaN.
  static constexpr std::size_t bucket_count = 2048;
  static constexpr std::size_t counter_count = bucket_count + 4;
  static constexpr int max_rounds = 3;

  /// `size`: weights of all participants together. Throws InvalidArgument for a size < 0, a threshold
  /// outside [0, 1], or a delta that is not positive and finite.
  LevelSearch(std::int64_t size, float threshold, float delta);

  LevelSearchState save() const { return {size_, threshold_, delta_, rounds_, first_, below_, inside_}; }
  /// The search as it was saved. Throws InvalidArgument for what no search comes to.
  static LevelSearch resume(const LevelSearchState& state);

  bool done() const { return done_; }
  int rounds() const { return rounds_; }

  /// Takes the sums of all participants' counters and narrows the bracket. Throws WrongState when done,
  /// InvalidArgument when the sums do not fit the size, UnreachableThreshold.
  void advance(std::span<const std::int64_t> totals);

  std::int64_t need() const { return need_; }
  /// The answer: weights with |w| <= limit() are pruned. Throw WrongState until done.
  std::int64_t level() const;
  float limit() const;
  Limit ends_at() const;  ///< the same for masks_at()

  /// The bracket of the round: magnitudes that may decide, as bit patterns of float32 (docs/adr/0001).
  std::uint32_t first_key() const { return first_; }
  std::uint32_t last_key() const { return last_; }

 private:
  void check_totals(std::span<const std::int64_t> totals) const;
  void take(std::uint32_t first, std::uint32_t last, std::int64_t below, std::int64_t inside);

  std::int64_t size_, need_;
  float threshold_, delta_;
  std::uint32_t first_ = 0, last_ = 0;
  std::int64_t below_ = 0, inside_;  ///< weights below the bracket and in it, as the round before counted them
  std::int64_t level_ = 0;
  int rounds_ = 0;
  bool done_ = false;
};

struct LevelJob {
  const LevelSearch* search;
  TensorView weights;
  MaskView old = {};       ///< as RebuildJob::old: a pruned weight counts as 0
  std::int64_t* counters;  ///< counter_count values, added to
};

/// Adds this participant's counts. Throws InvalidArgument, WrongState for a search that is done.
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace prunecell
