#include <prunecell/level_search.hpp>

#include "api/check.hpp"
#include "api/level_counters.hpp"
#include "api/unreachable.hpp"
#include "semantics/grid.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <tuple>

namespace prunecell {

static_assert(LevelSearch::bucket_count == KeyBracket::buckets);

LevelSearch::LevelSearch(std::int64_t size, float threshold, float delta)
    : size_(size), need_(prunecell::need(size, threshold)), threshold_(threshold), delta_(delta), inside_(size) {
  check_delta("delta", delta);
  last_ = semantics::limit_key(delta, semantics::max_level);
  done_ = need_ == 0;
}

LevelSearch LevelSearch::resume(const LevelSearchState& state) {
  LevelSearch search(state.size, state.threshold, state.delta);
  const auto fits = [&] { return state.first_key >= search.first_ && state.first_key <= search.last_; };
  // Brackets do not depend on weights: the one of each round is the bucket that holds the last one's first key.
  while (search.rounds_ < state.rounds && !search.done_ && fits()) {
    const KeyBracket bracket{search.first_, search.last_};
    const auto [first, last] = bracket.bucket((state.first_key - bracket.first) >> bracket.shift());
    search.take(first, last, state.below, state.inside);
  }
  const bool counted = state.below >= 0 && state.below < search.need_ && state.inside <= state.size - state.below &&
                       state.inside >= search.need_ - state.below;
  if (!(search.save() == state) || (state.rounds > 0 && !counted))
    refuse("LevelSearch state", "one that a search comes to", "another");
  return search;
}

/// Checks sums: all participants together count known totals, whose distribution over the buckets is new.
void LevelSearch::check_totals(std::span<const std::int64_t> totals) const {
  const auto refuse_them = [&](const std::string& got) {
    refuse("LevelSearch.advance",
           to_text(counter_count) + " counters of all participants together, over " +
               to_text(rounds_ == 0 ? size_ : inside_) + " weights in question",
           got);
  };
  if (totals.size() != counter_count) refuse_them(to_text(totals.size()) + " counters");
  std::int64_t sum = 0;
  for (const std::int64_t count : totals) {
    if (count < 0 || count > size_ - sum) refuse_them(count < 0 ? "a negative one" : "more weights");
    sum += count;
  }
  const LevelCounters counters(totals.data());
  const std::int64_t inside = std::accumulate(counters.bucket.begin(), counters.bucket.end(), std::int64_t(0));
  const bool fits = rounds_ == 0 ? sum == size_ : inside == inside_ && counters.below == below_;
  if (!fits) refuse_them(to_text(rounds_ == 0 ? sum : inside));
}

void LevelSearch::advance(std::span<const std::int64_t> totals) {
  if (done_) throw WrongState("LevelSearch.advance: the search is done");
  check_totals(totals);
  const LevelCounters counters(totals.data());
  KeyCounts counts{.below = counters.below};
  std::ranges::copy(counters.bucket, counts.bucket.begin());
  const auto narrowed = narrow({first_, last_}, counts, need_);
  if (!narrowed) {
    const auto& [finite, inf, nan] = std::tie(counters.finite, counters.inf, counters.nan);
    const Census census{size_, size_ - finite - inf - nan, finite, inf, nan};
    throw_unreachable_threshold("LevelSearch", threshold_, delta_, need_, census);
  }
  take(narrowed->bracket.first, narrowed->bracket.last, narrowed->below, narrowed->inside);
}

/// Ends a round, which left this bracket.
void LevelSearch::take(std::uint32_t first, std::uint32_t last, std::int64_t below, std::int64_t inside) {
  ++rounds_;
  below_ = below;
  inside_ = inside;
  first_ = first;
  last_ = last;
  const semantics::GridLevel level = semantics::grid_level(delta_, first_);
  level_ = level.number;
  done_ = within_one_level(level, {first_, last_});
}

std::int64_t LevelSearch::level() const {
  if (!done_) throw WrongState("LevelSearch.level: the search is not done");
  return level_;
}

Limit LevelSearch::ends_at() const { return {.key = semantics::limit_key(delta_, level())}; }

float LevelSearch::limit() const { return std::bit_cast<float>(ends_at().key); }

}  // namespace prunecell
