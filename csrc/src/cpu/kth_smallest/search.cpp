// Where a mask's limit lies is guessed, and a pass over all weights proves it. Numbers are exact, guesses are only made
// about where to look: a wrong one costs another pass, never the answer.
#include "cpu/kth_smallest/search.hpp"
#include "api/bits.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/kth_smallest/prediction.hpp"
#include "semantics/semantics.hpp"

#include <algorithm>
#include <vector>

namespace prunecell::cpu {
namespace {

class Search {
 public:
  Search(const Context& context, const Job& job, std::uint32_t* words, Team& team)
      : context_(context),
        job_(job),
        words_(words),
        team_(team),
        size_(job_.weights.size),
        need_(semantics::need(size_, job.rule.threshold)),
        room_(size_ - need_),
        wanted_(need_),
        levels_(job, need_),
        guess_(job, levels_, room_, team),
        known_(levels_.all()) {}

  Decision run() {
    if (size_ == 0 || job_.rule.filler == Filler::none) return keep_old();
    decision_.need = need_;
    if (random()) {
      wanted_ -= zeros_of(job_.old);
      if (wanted_ <= 0) return keep_old();
      if (room_ == 0) return prune_all();
    }
    constexpr int guesses = 3;
    for (int g = 0; g < guesses && !decided(); ++g)
      prove(random() ? uniform_bracket(known_, wanted_, wanted_ + room_)
            : g == 0 ? guess_.by_tiles(known_)
                     : guess_.by_sample(known_));
    while (!decided())
      if (count_down()) prove(known_);
    return decision_;
  }

 private:
  bool decided() const { return decision_.kind != Decision::Kind::keep_old; }
  bool random() const { return job_.rule.filler == Filler::random; }

  std::int64_t zeros_of(const MaskView& mask) const {
    return mask.words ? size_ - count_ones(mask.words, word_count(size_)) : 0;
  }
  Decision keep_old() {
    decision_.zeros = zeros_of(job_.old);
    return decision_;
  }
  Decision prune_all() {
    decision_.kind = Decision::Kind::prune_all;
    decision_.zeros = size_;
    return decision_;
  }

  /// Rounds of counting, at most three, until the bracket that holds the answer for certain is one level, or few
  /// enough keys of Random. False where the answer is beyond all levels.
  bool count_down() {
    const std::int64_t room = team_.room();
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

  /// Decides, or knows more than before.
  void prove(const KeyBracket& guess) {
    const KeyBracket bracket = levels_.closed(guess);
    const auto [first, last] = bracket;
    const bool single = levels_.single(bracket);
    const auto middle = levels_.middle(bracket);
    const auto list = single ? List::nothing : middle ? List::upper : List::inside;
    const PassResult found = pass(job_, 1, {bracket, list, middle.value_or(0)}, words_, team_);
    const PassCounts& counts = found.counts;
    if (counts.above > room_) {
      if (last == levels_.all().last)
        decision_.kind = Decision::Kind::unreachable;
      else
        known_.first = last + 1;
    } else if (first > levels_.all().first && counts.reached <= room_) {
      known_.last = first - 1;
    } else if (single || (middle && counts.upper > room_)) {
      finish(last, counts.above);
    } else if (counts.unlisted > 0) {
      known_ = {first, middle.value_or(last)};
    } else if (middle) {
      keep_runs();
      finish(*middle, counts.upper);
    } else {
      const std::uint32_t limit = levels_.limit(found.limit(bracket, room_));
      keep_above(limit);
      finish(limit, found.kept_above(limit));
    }
  }

  /// The words say which weights are above the limit.
  void finish(std::uint32_t limit, std::int64_t kept) {
    if (kept == 0 && job_.rule.may_fall_back()) {
      decision_.kind = Decision::Kind::fall_back;
      decision_.zeros = zeros_of(job_.fallback);
      return;
    }
    decision_.kind = Decision::Kind::searched;
    decision_.limit = limit;
    if (!random()) decision_.level = levels_.of(limit);
    if (random() && kept < room_) keep_last_ties(limit, room_ - kept);
    decision_.zeros = size_ - (random() ? room_ : kept);
  }

  /// body(block) for all that is listed. Each thread does so for the tiles that it has seen: their words may be in its
  /// caches alone.
  template <class Body>
  void for_each_block(Body&& body) {
    const std::span blocks = team_.blocks();
    const int threads = blocks.size() > 1 ? team_.size() : 1;
    parallel(threads, [&](int thread) {
      for (const CandidateBlock& block : blocks)
        if (threads == 1 || block.owner == &team_.worker(thread)) body(block);
    });
  }

  /// Of the weights that are listed, those above the limit stay.
  void keep_above(std::uint32_t limit) {
    constexpr std::int64_t ahead = 16;
    for_each_block([&](const CandidateBlock& block) {
      const auto& [owner, size, keys, positions] = block;
      for (std::int64_t c = 0; c < size; ++c) {
        __builtin_prefetch(words_ + positions[std::min(c + ahead, size - 1)] / 32);
        keep(std::uint64_t(positions[c]), keys[c] > limit);
      }
    });
  }

  /// The weights of the runs that are listed stay.
  void keep_runs() {
    const std::uint32_t* const behind = words_ + word_count(size_);
    for_each_block([&](const CandidateBlock& block) {
      for (std::int64_t at = 0; at < block.size;) {
        std::uint32_t* const tile = words_ + block.positions[at] / 32;
        const std::int64_t end = at + 1 + block.keys[at];
        for (++at; at < end; ++at) {
          const auto bits = std::uint64_t(block.positions[at]);
          std::uint32_t* const run = tile + 2 * block.keys[at];
          run[0] |= std::uint32_t(bits);
          if (run + 1 < behind) run[1] |= std::uint32_t(bits >> 32);
        }
      }
    });
  }

  /// Of the weights of Random that tie at the limit, those of the smallest indices go.
  void keep_last_ties(std::uint32_t limit, std::int64_t count) {
    std::vector<std::int64_t> ties;
    for (const auto& [owner, size, keys, positions] : team_.blocks())
      for (std::int64_t c = 0; c < size; ++c)
        if (keys[c] == limit) ties.push_back(positions[c]);
    std::ranges::sort(ties);
    for (std::int64_t t = std::int64_t(ties.size()) - count; t < std::int64_t(ties.size()); ++t)
      keep(std::uint64_t(ties[std::size_t(t)]), true);
  }

  /// Without a branch: none could be foretold.
  void keep(std::uint64_t position, bool kept) { words_[position / 32] |= std::uint32_t(kept) << (position % 32); }

  const Context& context_;
  const Job& job_;
  std::uint32_t* words_;
  Team& team_;
  std::int64_t size_, need_;
  std::int64_t room_;    ///< how many weights may stay
  std::int64_t wanted_;  ///< rank of the key that decides
  Levels levels_;
  Guess guess_;
  KeyBracket known_;  ///< where the answer is for certain
  Decision decision_;
};

}  // namespace

Decision search(const Context& context, const Job& job, std::uint32_t* words, Team& team) {
  return Search(context, job, words, team).run();
}

}  // namespace prunecell::cpu
