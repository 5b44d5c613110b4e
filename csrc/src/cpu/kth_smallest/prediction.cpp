#include "cpu/kth_smallest/prediction.hpp"
#include "cpu/memory/tiles.hpp"

#include <algorithm>
#include <cmath>

namespace prunecell::cpu {
namespace {

/// Weights of the samples.
constexpr std::int64_t small = 1 << 10, large = 1 << 17;

/// Weights that take longer to list than the large sample takes, or than now and then another pass in vain.
constexpr double many = 1 << 16;

// Strides of tiles are powers of three, which fall in step with no structure of tensors, whose extents are powers of
// two.

/// So that the first sample has at least seven tiles; 1: too few for any.
std::int64_t first_stride(std::int64_t tiles) {
  std::int64_t stride = 1;
  while (tiles >= 21 * stride) stride *= 3;
  return stride;
}

/// Of the largest sample, whose weights then cost as much as those that it saves from being listed: their best number
/// grows as size to the power of 2/3.
std::int64_t last_stride(std::int64_t tiles) { return tiles < 300 ? 9 : 27; }

/// The next power of the last stride below.
std::int64_t next_stride(std::int64_t stride, std::int64_t tiles) {
  std::int64_t next = 1;
  while (last_stride(tiles) * next < stride) next *= last_stride(tiles);
  return next;
}

}  // namespace

Guess::Guess(const Job& job, const Levels& levels, std::int64_t room, Team& team)
    : job_(job),
      levels_(levels),
      team_(team),
      size_(job.weights.size),
      tiles_(tile_count(job.weights.size)),
      share_(size_ > 0 ? double(room) / double(size_) : 0) {}

KeyBracket Guess::by_tiles(const KeyBracket& known) {
  if (levels_.single(known)) return known;
  const Sample sample(job_, std::min(small, size_), 1);
  KeyBracket bracket = levels_.closed(sample.bracket(known, share_, 1));
  for (std::int64_t stride = first_stride(tiles_); stride > 1 && !levels_.single(bracket);
       stride = next_stride(stride, tiles_)) {
    const PassResult seen = pass(job_, stride, {bracket, List::inside}, nullptr, team_);
    const auto narrower = narrowed(bracket, seen, 4);
    if (!narrower) return by_sample(known);
    bracket = *narrower;
    const double part = 1 / double(next_stride(stride, tiles_));  // of the weights, that the next pass reads
    const double listed = part * expected(bracket, seen);
    if (!told_without_list(bracket) && listed > std::min(many, room_to_list())) {
      const auto likely = narrowed(bracket, seen, 2.5);
      if (likely && told_without_list(*likely))
        bracket = *likely;
      else if (listed > std::min(room_to_list(), 2 * part * expected_by_sample()))
        bracket = by_sample(bracket);
    }
    if (part * expected(bracket, seen) > room_to_list()) bracket = likeliest_level(bracket, seen);
  }
  return bracket;
}

KeyBracket Guess::by_sample(const KeyBracket& known) {
  if (levels_.single(known)) return known;
  constexpr std::int64_t run = 16;
  const std::int64_t length = size_ < run ? 1 : run;
  if (!sample_) sample_.emplace(job_, std::min(large, size_ / length * length), length);
  return levels_.closed(sample_->bracket(known, share_, 0.7 * room_to_list() / double(size_)));
}

/// Where the limit lies by the tiles seen, with so many standard deviations to each side, which come from what differs
/// between a tile and the next one seen, so that a slow drift over the tensor, which tiles at regular intervals follow
/// well, does not count. Nothing where it lies outside the bracket, or too many weights inside.
std::optional<KeyBracket> Guess::narrowed(const KeyBracket& bracket, const PassResult& seen, double deviations) const {
  if (seen.counts.unlisted > 0) return std::nullopt;
  const PassCounts& counts = seen.counts;
  const double part = double(counts.weights) / double(size_), tiles = double(counts.full_tiles);
  const double squares = double(std::max(counts.squares_above, counts.squares_reached));
  const double variance = squares / (2 * double(std::max<std::int64_t>(counts.steps, 1)));
  const double binomial = share_ * (1 - share_) * double(tile_size);
  const double margin = deviations * std::sqrt(std::max(variance, binomial) * tiles * (1 - part)) + 2;
  const double rank = share_ * double(counts.weights);
  const auto beyond = double(counts.above), reached = double(counts.reached);
  if (rank + margin < beyond || (rank - margin > reached && bracket.first > levels_.all().first)) return std::nullopt;
  const auto limit = [&](double kept) { return seen.limit(bracket, std::int64_t(std::max(kept, beyond))); };
  return levels_.closed({limit(rank + margin), rank - margin >= beyond ? limit(rank - margin) : bracket.last});
}

/// One level, or two: a pass tells what to do with them as a whole.
bool Guess::told_without_list(const KeyBracket& bracket) const {
  return levels_.single(bracket) || levels_.middle(bracket);
}

/// What a pass over all tiles would list: weights in the bracket, or runs of 64 that have weights of the upper level,
/// if these lie as by chance.
double Guess::expected(const KeyBracket& bracket, const PassResult& seen) const {
  if (levels_.single(bracket)) return 0;
  const auto middle = levels_.middle(bracket);
  const std::int64_t listed = seen.kept_above(middle.value_or(bracket.first - 1)) - seen.kept_above(bracket.last);
  const double share = double(listed) / double(seen.counts.weights), size = double(size_);
  return middle ? size / 64 * (1 - std::pow(1 - share, 64)) : size * share;
}

/// The same of a bracket by the large sample, if weights lie as by chance: less than by tiles where those differ.
double Guess::expected_by_sample() const {
  return 2 * Sample::deviations * std::sqrt(share_ * (1 - share_) / double(large)) * double(size_);
}

KeyBracket Guess::likeliest_level(const KeyBracket& bracket, const PassResult& seen) const {
  const double rank = share_ * double(seen.counts.weights);
  const std::int64_t most = std::max(std::int64_t(rank), seen.kept_above(bracket.last));
  return levels_.keys(levels_.of(seen.limit(bracket, most)));
}

}  // namespace prunecell::cpu
