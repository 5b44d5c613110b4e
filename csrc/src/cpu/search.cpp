// A sample proposes a bracket of keys, passes over the weights prove it. Between passes the bracket narrows by what
// they counted, so that few weights have to be listed one by one. Numbers are exact, guesses are only made about
// where to look: a wrong one costs another sweep, never the answer.
#include "search.hpp"
#include "../bits.hpp"
#include "../semantics.hpp"
#include "count.hpp"
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
      : context_(context), job_(job), words_(words), team_(team), size_(job.weights.size) {}

  Decision run() {
    if (size_ == 0 || job_.rule.filler == Filler::none) return keep_old();
    decision_.need = wanted_ = semantics::need(size_, job_.rule.threshold);
    room_ = size_ - decision_.need;
    if (random()) {
      wanted_ -= zeros_of_old();
      if (wanted_ <= 0) return keep_old();
      if (room_ == 0) return prune_all();
      whole_ = {0, UINT32_MAX};
    } else if (decision_.need > 0) {
      whole_ = {1, semantics::limit_key(job_.rule.delta, semantics::max_level)};  // every level prunes key 0
    }
    known_ = whole_;
    for (int attempt = 0; decision_.kind == Decision::Kind::keep_old; ++attempt) {
      const bool guessing = attempt < 2;
      if (guessing)
        sweep(whole_levels(random() ? predicted_by_odds() : predicted_by_sample()), guessing);
      else if (count_down())
        sweep(whole_levels(known_), guessing);
    }
    return decision_;
  }

 private:
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

  /// The keys of Random are uniform, so that odds say where the share ends: six standard deviations to each side.
  KeyBracket predicted_by_odds() const {
    const double draws = double(wanted_ + room_), share = double(wanted_) / draws;
    const double margin = 6 * std::sqrt(share * (1 - share) / draws) + 2 / draws;
    const auto key_at = [&](double p) {
      return std::clamp(std::uint32_t(std::clamp(p * 0x1p32, 0.0, 0x1p32 - 1)), known_.first, known_.last);
    };
    return {key_at(share - margin), key_at(share + margin)};
  }

  KeyBracket predicted_by_sample() {
    if (decision_.need == 0) return whole_;
    if (!sample_) sample_.emplace(job_);
    return sample_->bracket(known_, double(room_) / double(size_));
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
    } while (!one_level(known_) && known_.first != known_.last);
    return true;
  }

  std::int64_t level_of(std::uint32_t key) const {
    return decision_.need == 0 ? 0 : semantics::level_of(job_.rule.delta, key);
  }
  KeyBracket level_keys(std::int64_t level) const {
    const float delta = job_.rule.delta;
    if (level == 0) return whole_;
    return {level == 1 ? whole_.first : semantics::limit_key(delta, level - 1) + 1, semantics::limit_key(delta, level)};
  }
  /// All keys of the levels that a bracket touches.
  KeyBracket whole_levels(const KeyBracket& bracket) const {
    if (random()) return bracket;
    const std::int64_t first = level_of(bracket.first);
    const KeyBracket keys = level_keys(first);
    return {keys.first, bracket.last <= keys.last ? keys.last : level_keys(level_of(bracket.last)).last};
  }
  bool one_level(const KeyBracket& bracket) const {
    return !random() && level_keys(level_of(bracket.first)).last >= bracket.last;
  }

  // Sweeps

  /// Passes over all tiles. `guessing`: the bracket is a guess, which may be narrowed on the way.
  void sweep(KeyBracket bracket, bool guessing) {
    for (Worker& worker : team_) worker.candidates.clear();
    counts_ = {};
    bool listing = !one_level(bracket);
    const std::int64_t tiles = (size_ + tile_size - 1) / tile_size;
    TileSubset subset{guessing && listing && !random() ? first_stride(tiles) : 1};
    for (;;) {
      counts_ += pass(job_, subset, bracket, listing, words_, team_);
      listed_.clear();
      for (const Worker& worker : team_) listed_.push_back(worker.candidates.keys());
      if (subset.stride == 1) break;
      subset = {std::max<std::int64_t>(subset.stride / stride_factor, 1), subset.stride};
      if (listing && counts_.unlisted == 0) bracket = narrowed_by_counts(bracket, subset.count(tiles) * tile_size);
      listing = counts_.unlisted == 0 && !one_level(bracket);
    }
    settle(bracket);
  }

  static constexpr std::int64_t stride_factor = 16;

  /// So that the first pass sees at least sixteen times as many weights as the sample.
  static std::int64_t first_stride(std::int64_t tiles) {
    std::int64_t stride = 1;
    while (tiles >= 16 * stride) stride *= 4;
    return stride;
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

  /// Where the answer lies by the tiles seen so far, with four standard deviations of what differs between tiles;
  /// where too many of the `next` weights would have to be listed, the likeliest level alone.
  KeyBracket narrowed_by_counts(const KeyBracket& bracket, std::int64_t next) const {
    const std::uint32_t last = bracket.last;
    const double seen = double(counts_.weights) / double(size_), tiles = double(counts_.full_tiles);
    const double mean = double(counts_.sum) / tiles;
    const double variance = std::max(double(counts_.sum_of_squares) / tiles - mean * mean, 0.0);
    const double share = double(room_) / double(size_), binomial = share * (1 - share) * double(tile_size);
    const double margin = 4 * std::sqrt(std::max(variance, binomial) * tiles * (1 - seen)) + 2;
    const double rank = double(room_) * seen;
    const std::int64_t beyond = kept_above(last);
    const auto limit = [&](double kept) { return limit_of(bracket, std::max(std::int64_t(kept), beyond)); };
    const KeyBracket guess{limit(rank + margin), rank - margin >= double(beyond) ? limit(rank - margin) : last};
    const KeyBracket out = whole_levels(guess);
    const double inside = double(kept_from(out.first) - kept_above(out.last)) / double(counts_.weights);
    const double room = double(team_[0].candidates.room()) * double(team_.size());
    return inside * double(next) > room ? level_keys(level_of(limit(rank))) : out;
  }

  /// Decides, or knows more than before.
  void settle(const KeyBracket& bracket) {
    const auto [first, last] = bracket;
    if (kept_above(last) > room_) {
      if (last == whole_.last)
        decision_.kind = Decision::Kind::unreachable;
      else
        known_.first = last + 1;
    } else if (first > whole_.first && kept_from(first) <= room_) {
      known_.last = first - 1;
    } else if (one_level(bracket)) {
      finish(last);
    } else if (counts_.unlisted > 0) {
      known_ = bracket;
    } else {
      const std::uint32_t limit = limit_of(bracket, room_);
      finish(random() ? limit : level_keys(level_of(limit)).last);
    }
  }

  /// The words say which weights are above the bracket in which their tile was seen. Those of them that the limit
  /// spares are among the candidates.
  void finish(std::uint32_t limit) {
    decision_.kind = Decision::Kind::searched;
    decision_.limit = limit;
    if (!random()) decision_.level = level_of(limit);
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
  std::int64_t size_;
  std::int64_t room_ = 0;    ///< how many weights may stay
  std::int64_t wanted_ = 0;  ///< rank of the key that decides
  KeyBracket whole_;         ///< keys that a limit may have
  KeyBracket known_;         ///< where the answer is for certain
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
