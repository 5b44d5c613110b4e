#include <prunecell/level_search.hpp>

#include "check.hpp"
#include "key_search.hpp"
#include "semantics.hpp"
#include "unreachable.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace prunecell {

static_assert(LevelSearch::bucket_count == KeyBracket::buckets);

LevelSearch::LevelSearch(std::int64_t size, float threshold, float delta)
    : size_(size), need_(prunecell::need(size, threshold)), threshold_(threshold), delta_(delta) {
  check_delta("delta", delta);
  last_ = semantics::limit_key(delta, semantics::max_level);
  done_ = need_ == 0;
}

void LevelSearch::advance(std::span<const std::int64_t> totals) {
  if (done_) throw WrongState("LevelSearch.advance: the search is done");
  const std::int64_t sum = std::accumulate(totals.begin(), totals.end(), std::int64_t(0));
  const bool negative = std::ranges::any_of(totals, [](std::int64_t count) { return count < 0; });
  if (totals.size() != counter_count || negative || sum > size_ || (rounds_ == 0 && sum != size_))
    throw InvalidArgument("LevelSearch.advance: expected " + to_text(counter_count) +
                          " counters of all participants together, over " + to_text(size_) + " weights, got " +
                          to_text(totals.size()) + " counters with sum " + to_text(sum));

  KeyCounts counts;
  std::ranges::copy(totals.first(bucket_count), counts.bucket.begin());
  const auto beyond = totals.subspan(bucket_count);
  counts.below = beyond[0];
  const auto narrowed = narrow({first_, last_}, counts, need_);
  if (!narrowed) {
    if (rounds_ > 0) throw InvalidArgument("LevelSearch.advance: these counters do not belong to this round");
    const Census census{size_, size_ - beyond[1] - beyond[2] - beyond[3], beyond[1], beyond[2], beyond[3]};
    throw_unreachable_threshold("LevelSearch", threshold_, delta_, need_, census);
  }
  ++rounds_;
  first_ = narrowed->bracket.first;
  last_ = narrowed->bracket.last;
  level_ = semantics::level_of(delta_, first_);
  done_ = semantics::limit_key(delta_, level_) >= last_;
}

std::int64_t LevelSearch::level() const {
  if (!done_) throw WrongState("LevelSearch.level: the search is not done");
  return level_;
}

float LevelSearch::limit() const { return std::bit_cast<float>(semantics::limit_key(delta_, level())); }

}  // namespace prunecell
