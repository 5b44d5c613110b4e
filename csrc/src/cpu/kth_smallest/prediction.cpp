#include "cpu/kth_smallest/prediction.hpp"
#include "cpu/memory/tiles.hpp"

#include <algorithm>
#include <cmath>

namespace prunecell::cpu {
namespace {

/// Weights of the two samples.
constexpr std::int64_t small = 1 << 10, large = 1 << 17;

/// Candidates that take longer to collect than the large sample takes, or than now and then a sweep in vain.
constexpr double many = 1 << 16;

// Strides of tiles are powers of three: extents of tensors are powers of two, and the two never fall in step.

/// Stride of the first sample of tiles, which has at least seven; 1: there are too few tiles for a sample.
std::int64_t first_stride(std::int64_t tiles) {
  std::int64_t stride = 1;
  while (tiles >= 21 * stride) stride *= 3;
  return stride;
}

/// Stride of the largest sample: every 9th tile below 300 tiles, else every 27th. The best number of its tiles grows as
/// size to the power of 2/3 (docs/adr/0005).
std::int64_t last_stride(std::int64_t tiles) { return tiles < 300 ? 9 : 27; }

/// Stride of the next larger sample: the next power of the last stride.
std::int64_t next_stride(std::int64_t stride, std::int64_t tiles) {
  std::int64_t next = 1;
  while (last_stride(tiles) * next < stride) next *= last_stride(tiles);
  return next;
}

}  // namespace

Prediction::Prediction(const Ranked& ranked, const Levels& levels, std::int64_t most_kept, Workers& workers)
    : ranked_(ranked),
      levels_(levels),
      workers_(workers),
      size_(ranked.weights.size),
      tiles_(tile_count(ranked.weights.size)),
      share_(size_ > 0 ? double(most_kept) / double(size_) : 0) {}

KeyBracket Prediction::from_tiles(const KeyBracket& within) {
  if (levels_.single(within)) return within;
  const Sample sample(ranked_, std::min(small, size_), 1);
  KeyBracket bracket = levels_.extended(sample.bracket(within, share_, 1));
  for (std::int64_t stride = first_stride(tiles_); stride > 1 && !levels_.single(bracket);
       stride = next_stride(stride, tiles_)) {
    const SweepResult seen = sweep(ranked_, stride, {bracket, Collect::candidates}, nullptr, workers_);
    const auto narrower = narrowed(bracket, seen, 4);
    if (!narrower) return from_sample(within);
    bracket = *narrower;
    const double part = 1 / double(next_stride(stride, tiles_));  // of the weights, that the next pass reads
    const double collected = part * expected(bracket, seen);
    if (!needs_no_candidates(bracket) && collected > std::min(many, capacity())) {
      const auto likely = narrowed(bracket, seen, 2.5);
      if (likely && needs_no_candidates(*likely))
        bracket = *likely;
      else if (collected > std::min(capacity(), 2 * part * expected_from_sample()))
        bracket = from_sample(bracket);
    }
    if (part * expected(bracket, seen) > capacity()) bracket = likeliest_level(bracket, seen);
  }
  return bracket;
}

KeyBracket Prediction::from_sample(const KeyBracket& within) {
  if (levels_.single(within)) return within;
  constexpr std::int64_t run = 16;
  const std::int64_t length = size_ < run ? 1 : run;
  if (!sample_) sample_.emplace(ranked_, std::min(large, size_ / length * length), length);
  return levels_.extended(sample_->bracket(within, share_, 0.7 * capacity() / double(size_)));
}

/// Where the limit lies by the tiles seen, with so many standard deviations to each side. These come from what differs
/// between a tile and the next one seen: a slow drift over the tensor does not count, since tiles at regular intervals
/// follow it well. Nothing where the limit lies outside the bracket, or too many weights inside.
std::optional<KeyBracket> Prediction::narrowed(const KeyBracket& bracket, const SweepResult& seen,
                                               double deviations) const {
  if (seen.counts.not_collected > 0) return std::nullopt;
  const SweepCounts& counts = seen.counts;
  const double part = double(counts.weights) / double(size_), tiles = double(counts.full_tiles);
  const double squares = double(std::max(counts.squares_kept, counts.squares_not_rejected));
  const double variance = squares / (2 * double(std::max<std::int64_t>(counts.steps, 1)));
  const double binomial = share_ * (1 - share_) * double(tile_size);
  const double margin = deviations * std::sqrt(std::max(variance, binomial) * tiles * (1 - part)) + 2;
  const double rank = share_ * double(counts.weights);
  const auto kept = double(counts.kept), not_rejected = double(counts.not_rejected);
  if (rank + margin < kept || (rank - margin > not_rejected && bracket.first > levels_.all().first))
    return std::nullopt;
  const auto limit = [&](double most) { return seen.limit(bracket, std::int64_t(std::max(most, kept))); };
  return levels_.extended({limit(rank + margin), rank - margin >= kept ? limit(rank - margin) : bracket.last});
}

/// One level, or two: a sweep decides what becomes of them as a whole.
bool Prediction::needs_no_candidates(const KeyBracket& bracket) const {
  return levels_.single(bracket) || levels_.middle(bracket);
}

/// What a sweep over all tiles would collect: weights in the bracket, or runs of 64 that have weights of the upper
/// level, if these lie as by chance.
double Prediction::expected(const KeyBracket& bracket, const SweepResult& seen) const {
  if (levels_.single(bracket)) return 0;
  const auto middle = levels_.middle(bracket);
  const std::int64_t candidates = seen.kept_above(middle.value_or(bracket.first - 1)) - seen.kept_above(bracket.last);
  const double share = double(candidates) / double(seen.counts.weights), size = double(size_);
  return middle ? size / 64 * (1 - std::pow(1 - share, 64)) : size * share;
}

/// The same for a bracket by the large sample, if weights lie as by chance: less than by tiles where those differ.
double Prediction::expected_from_sample() const {
  return 2 * Sample::deviations * std::sqrt(share_ * (1 - share_) / double(large)) * double(size_);
}

KeyBracket Prediction::likeliest_level(const KeyBracket& bracket, const SweepResult& seen) const {
  const double rank = share_ * double(seen.counts.weights);
  const std::int64_t most = std::max(std::int64_t(rank), seen.kept_above(bracket.last));
  return levels_.keys(levels_.of(seen.limit(bracket, most)));
}

}  // namespace prunecell::cpu
