// A sample proposes a bracket of keys, passes over the weights prove it. Between passes the bracket narrows by what
// they counted, so that few weights have to be listed one by one. Numbers are exact, guesses are only made about
// where to look: a wrong one costs another sweep, never the answer.
#include "search.hpp"
#include "../bits.hpp"
#include "../semantics.hpp"
#include "count.hpp"
#include "levels.hpp"
#include "pass.hpp"
#include "sample.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace prunecell::cpu {
namespace {

class Search {
 public:
  Search(const Context& context, const Job& job, std::uint32_t* words, Team team)
      : context_(context),
        job_(job),
        words_(words),
        team_(team),
        size_(job.weights.size),
        need_(semantics::need(size_, job.rule.threshold)),
        room_(size_ - need_),
        wanted_(need_),
        levels_(job.rule, need_),
        known_(levels_.all()) {}

  Decision run() {
    if (size_ == 0 || job_.rule.filler == Filler::none) return keep_old();
    decision_.need = need_;
    if (random()) {
      wanted_ -= zeros_of_old();
      if (wanted_ <= 0) return keep_old();
      if (room_ == 0) return prune_all();
    }
    for (const Trust trust : {Trust::tiles, Trust::sample, Trust::sample})
      if (!decided())
        sweep(random() ? uniform_bracket(known_, wanted_, wanted_ + room_) : predicted_by_sample(known_, trust), trust);
    while (!decided())
      if (count_down()) sweep(known_, Trust::counts);
    return decision_;
  }

 private:
  /// What a sweep narrows its bracket by.
  enum class Trust : std::uint8_t {
    tiles,   ///< a small sample, then the tiles it has seen
    sample,  ///< a large sample alone: tiles have misled
    counts   ///< nothing more: it holds the answer for certain
  };

  bool decided() const { return decision_.kind != Decision::Kind::keep_old; }
  bool random() const { return job_.rule.filler == Filler::random; }

  std::int64_t zeros_of_old() const {
    return job_.old.words ? size_ - count_ones(job_.old.words, word_count(size_)) : 0;
  }
  Decision keep_old() {
    decision_.zeros = zeros_of_old();
    return decision_;
  }
  Decision prune_all() {
    decision_.kind = Decision::Kind::prune_all;
    decision_.zeros = size_;
    return decision_;
  }

  // Brackets

  KeyBracket predicted_by_sample(const KeyBracket& within, Trust trust) {
    if (need_ == 0) return within;
    constexpr std::int64_t small = 1 << 10, large = 1 << 17;
    const std::int64_t run = trust == Trust::sample && size_ > small ? 16 : 1;
    const std::int64_t count = std::min(run == 1 ? small : large, size_ / run * run);
    if (!sample_ || count > sample_->size()) sample_.emplace(job_, count, run);
    const double listable = trust == Trust::tiles ? 1 : 0.7 * room_to_list() / double(size_);
    return levels_.closed(sample_->bracket(within, double(room_) / double(size_), listable));
  }

  /// Rounds of counting, at most three, until the bracket that holds the answer for certain is one level, or few
  /// enough keys of Random. False where the answer is beyond all levels.
  bool count_down() {
    const std::int64_t room = team_[0].candidates.room();
    do {
      const CountTask task{&job_, known_};
      const KeyCounts counts = count_keys(context_, {&task, 1}).front();
      if (counts.below >= wanted_) {  // exact zeros are enough
        known_.last = known_.first;
        break;
      }
      const auto narrowed = narrow(known_, counts, wanted_);
      if (!narrowed) {
        decision_.kind = Decision::Kind::unreachable;
        return false;
      }
      known_ = narrowed->bracket;
      if (random() && narrowed->inside <= room) break;
    } while (!levels_.single(known_) && known_.first != known_.last);
    return true;
  }

  // Sweeps

  double room_to_list() const { return double(team_[0].candidates.room()) * double(team_.size()); }

  /// Passes over all tiles, and decides, or knows more than before.
  void sweep(KeyBracket bracket, Trust trust) {
    for (Worker& worker : team_) worker.candidates.clear();
    counts_ = {};
    bracket = levels_.closed(bracket);
    bool listing = !levels_.single(bracket);
    const std::int64_t tiles = (size_ + tile_size - 1) / tile_size;
    TileSubset subset{trust != Trust::counts && listing && !random() ? first_stride(tiles) : 1};
    for (;;) {
      counts_ += pass(job_, subset, bracket, listing, words_, team_);
      view_candidates();
      if (subset.stride == 1) break;
      subset = {next_stride(subset.stride), subset.stride};
      if (listing && counts_.unlisted == 0) {
        const std::int64_t next = subset.count(tiles) * tile_size;
        if (trust == Trust::tiles) narrow_candidates(bracket = narrowed_by_counts(bracket));
        narrow_candidates(bracket = listable(bracket, next));
      }
      listing = counts_.unlisted == 0 && !levels_.single(bracket);
    }
    settle(bracket);
  }

  void view_candidates() {
    listed_.clear();
    for (const Worker& worker : team_) listed_.push_back(worker.candidates.keys());
  }

  /// The answer is looked for in the bracket alone from now on: candidates outside it are settled.
  void narrow_candidates(const KeyBracket& bracket) {
    for (Worker& worker : team_)
      worker.candidates.narrow(bracket, [&](std::int64_t position, bool above) {
        keep(position, above);
        counts_.above += above;
      });
    view_candidates();
  }

  /// The bracket, or a part of it where too many of the `next` weights would have to be listed, or of all weights by
  /// the width to be expected before the last pass: what a large sample says, or the likeliest level alone.
  KeyBracket listable(KeyBracket bracket, std::int64_t next) {
    const double seen_at_last = double(size_) / double(last_stride), seen = double(counts_.weights);
    const double listed = std::max(double(next), double(size_) * std::sqrt(std::min(1.0, seen / seen_at_last)));
    const auto fits = [&] {
      const double share = double(kept_from(bracket.first) - kept_above(bracket.last)) / seen;
      return levels_.single(bracket) || share * listed <= room_to_list();
    };
    if (!fits()) bracket = predicted_by_sample(bracket, Trust::sample);
    return fits() ? bracket : likeliest_level(bracket);
  }

  /// Strides are powers of three, which fall in step with no structure of tensors, whose extents are powers of two.
  /// So that the first pass sees at least seven tiles.
  static std::int64_t first_stride(std::int64_t tiles) {
    std::int64_t stride = 1;
    while (tiles >= 21 * stride) stride *= 3;
    return stride;
  }

  /// Of the last pass but one: the last reads almost everything, and in one stream.
  static constexpr std::int64_t last_stride = 27;

  /// The next power of that below.
  static std::int64_t next_stride(std::int64_t stride) {
    std::int64_t next = 1;
    while (last_stride * next < stride) next *= last_stride;
    return next;
  }

  /// Kept weights of the tiles seen so far whose keys are above `limit`, for a limit from just below the bracket of
  /// the last pass to its end.
  std::int64_t kept_above(std::uint32_t limit) const { return counts_.above + count_above(listed_, limit); }
  /// Smallest limit in the bracket of the last pass that keeps at most `most` of them; its end does.
  std::uint32_t limit_of(const KeyBracket& bracket, std::int64_t most) const {
    return smallest_limit(listed_, bracket.first, bracket.last, most - counts_.above);
  }

  /// Kept weights of the tiles seen so far whose keys are at least `first`, that of the last pass.
  std::int64_t kept_from(std::uint32_t first) const { return counts_.unlisted + kept_above(first - 1); }

  /// Where the answer lies by the tiles seen so far, with four standard deviations to each side. They come from what
  /// differs between a tile and the next one seen, so that a slow drift over the tensor, which tiles at regular
  /// intervals follow well, does not count.
  KeyBracket narrowed_by_counts(const KeyBracket& bracket) const {
    const double seen = double(counts_.weights) / double(size_), tiles = double(counts_.full_tiles);
    const double squares = double(std::max(counts_.squares_above, counts_.squares_reached));
    const double variance = squares / (2 * double(std::max<std::int64_t>(counts_.steps, 1)));
    const double share = double(room_) / double(size_), binomial = share * (1 - share) * double(tile_size);
    const double margin = 4 * std::sqrt(std::max(variance, binomial) * tiles * (1 - seen)) + 2;
    const double rank = double(room_) * seen;
    const std::int64_t beyond = kept_above(bracket.last);
    const auto limit = [&](double kept) { return limit_of(bracket, std::max(std::int64_t(kept), beyond)); };
    return levels_.closed(
        {limit(rank + margin), rank - margin >= double(beyond) ? limit(rank - margin) : bracket.last});
  }

  KeyBracket likeliest_level(const KeyBracket& bracket) const {
    const double rank = double(room_) * double(counts_.weights) / double(size_);
    const std::int64_t most = std::max(std::int64_t(rank), kept_above(bracket.last));
    return levels_.keys(levels_.of(limit_of(bracket, most)));
  }

  void settle(const KeyBracket& bracket) {
    const auto [first, last] = bracket;
    if (kept_above(last) > room_) {
      if (last == levels_.all().last)
        decision_.kind = Decision::Kind::unreachable;
      else
        known_.first = last + 1;
    } else if (first > levels_.all().first && kept_from(first) <= room_) {
      known_.last = first - 1;
    } else if (levels_.single(bracket)) {
      finish(last);
    } else if (counts_.unlisted > 0) {
      known_ = bracket;
    } else {
      finish(levels_.limit(limit_of(bracket, room_)));
    }
  }

  /// The words say which weights are above the bracket in which their tile was seen. Those of them that the limit
  /// spares are among the candidates.
  void finish(std::uint32_t limit) {
    decision_.kind = Decision::Kind::searched;
    decision_.limit = limit;
    if (!random()) decision_.level = levels_.of(limit);
    const std::int64_t kept = kept_above(limit);
    for_each_candidate([&](std::uint32_t key, std::int64_t position) { keep(position, key > limit); });
    if (random() && kept < room_) keep_last_ties(limit, room_ - kept);
    decision_.zeros = size_ - (random() ? room_ : kept);
  }

  /// Of the weights of Random that tie at the limit, those of the smallest indices go.
  void keep_last_ties(std::uint32_t limit, std::int64_t count) {
    std::vector<std::int64_t> ties;
    for_each_candidate([&](std::uint32_t key, std::int64_t position) {
      if (key == limit) ties.push_back(position);
    });
    std::ranges::sort(ties);
    for (std::int64_t t = std::int64_t(ties.size()) - count; t < std::int64_t(ties.size()); ++t)
      keep(ties[std::size_t(t)], true);
  }

  void keep(std::int64_t position, bool kept) { words_[position / 32] |= std::uint32_t(kept) << (position % 32); }

  template <class Body>
  void for_each_candidate(Body&& body) const {
    for (const Worker& worker : team_)
      for (std::size_t c = 0; c < worker.candidates.keys().size(); ++c)
        body(worker.candidates.keys()[c], worker.candidates.positions()[c]);
  }

  const Context& context_;
  const Job& job_;
  std::uint32_t* words_;
  Team team_;
  std::int64_t size_, need_;
  std::int64_t room_;    ///< how many weights may stay
  std::int64_t wanted_;  ///< rank of the key that decides
  Levels levels_;
  KeyBracket known_;  ///< where the answer is for certain
  std::optional<Sample> sample_;
  PassCounts counts_;            ///< of the sweep so far
  std::vector<KeyList> listed_;  ///< and the keys of its candidates
  Decision decision_;
};

}  // namespace

Decision search(const Context& context, const Job& job, std::uint32_t* words, Team team) {
  return Search(context, job, words, team).run();
}

}  // namespace prunecell::cpu
