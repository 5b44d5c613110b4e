#include "cpu/kth_smallest/search.hpp"
#include "api/bits.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/kth_smallest/prediction.hpp"
#include "semantics/uniform_bracket.hpp"

#include <algorithm>
#include <vector>

namespace prunecell::cpu {
namespace {

class Search {
 public:
  Search(const Context& context, const Ranked& ranked, const MaskView& fallback, std::uint32_t* words, Workers& workers)
      : context_(context),
        ranked_(ranked),
        fallback_(fallback),
        words_(words),
        workers_(workers),
        size_(ranked.weights.size),
        need_(semantics::need(size_, ranked.selection.threshold)),
        most_kept_(size_ - need_),
        rank_(need_),
        levels_(ranked, need_),
        prediction_(ranked, levels_, most_kept_, workers),
        bracket_(levels_.all()) {}

  Decision run() {
    if (size_ == 0 || ranked_.selection.keys == Selection::Keys::none) return keep_old();
    decision_.need = need_;
    if (draws_numbers()) {  // among the weights that are not pruned yet
      rank_ -= zeros_of(ranked_.old);
      if (rank_ <= 0) return keep_old();
      if (most_kept_ == 0) return prune_all();
    }
    constexpr int predictions = 3;
    for (int number = 0; number < predictions && !decided(); ++number) sweep_bracket(predicted(number));
    while (!decided())
      if (count_down()) sweep_bracket(bracket_);
    return decision_;
  }

 private:
  bool decided() const { return decision_.kind != Decision::Kind::keep_old; }
  bool draws_numbers() const { return ranked_.selection.draws_numbers(); }

  Decision keep_old() {
    decision_.zeros = zeros_of(ranked_.old);
    return decision_;
  }
  Decision prune_all() {
    decision_.kind = Decision::Kind::prune_all;
    decision_.zeros = size_;
    decision_.limit = {UINT32_MAX, size_};
    return decision_;
  }

  /// Where the key that decides probably lies.
  KeyBracket predicted(int number) {
    if (!draws_numbers()) return number == 0 ? prediction_.from_tiles(bracket_) : prediction_.from_sample(bracket_);
    const auto [first, last] = semantics::uniform_bracket(rank_, rank_ + most_kept_);
    return {std::clamp(first, bracket_.first, bracket_.last), std::clamp(last, bracket_.first, bracket_.last)};
  }

  /// Rounds of counting, at most three, until the bracket is one level, or holds few enough numbers to collect.
  /// False where the key that decides lies beyond all levels.
  bool count_down() {
    do {
      const CountTask task{&ranked_, bracket_};
      const KeyCounts counts = count_keys(context_, {&task, 1}).front();
      if (counts.below >= rank_) {  // exact zeros are enough
        bracket_.last = bracket_.first;
        break;
      }
      const auto narrowed = narrow(bracket_, counts, rank_);
      if (!narrowed) {
        decision_.kind = Decision::Kind::unreachable;
        return false;
      }
      bracket_ = narrowed->bracket;
      if (draws_numbers() && narrowed->inside <= workers_.candidate_capacity()) break;
    } while (!levels_.single(bracket_) && bracket_.first != bracket_.last);
    return true;
  }

  /// One sweep over all weights. It decides, or narrows the bracket that holds the key for certain.
  void sweep_bracket(const KeyBracket& predicted) {
    const KeyBracket bracket = levels_.extended(predicted);
    const auto [first, last] = bracket;
    const bool single = levels_.single(bracket);
    const auto middle = levels_.middle(bracket);
    const auto collected = single ? Collect::nothing : middle ? Collect::upper_level : Collect::candidates;
    const SweepResult found = sweep(ranked_, 1, {bracket, collected, middle.value_or(0)}, words_, workers_);
    const SweepCounts& counts = found.counts;
    if (counts.kept > most_kept_) {
      if (last == levels_.all().last)
        decision_.kind = Decision::Kind::unreachable;
      else
        bracket_.first = last + 1;
    } else if (first > levels_.all().first && counts.not_rejected <= most_kept_) {
      bracket_.last = first - 1;
    } else if (single || (middle && counts.kept_with_upper > most_kept_)) {
      finish(last, counts.kept);
    } else if (counts.not_collected > 0) {
      bracket_ = {first, middle.value_or(last)};
    } else if (middle) {
      keep_runs();
      finish(*middle, counts.kept_with_upper);
    } else {
      const std::uint32_t limit = levels_.limit(found.limit(bracket, most_kept_));
      keep_above(limit);
      finish(limit, found.kept_above(limit));
    }
  }

  /// The words say which weights are above the limit.
  void finish(std::uint32_t limit, std::int64_t kept) {
    if (kept == 0 && ranked_.selection.spares_tensors) {
      decision_.kind = Decision::Kind::fall_back;
      decision_.zeros = zeros_of(fallback_);
      return;
    }
    decision_.kind = Decision::Kind::found;
    decision_.limit = {limit, size_};
    if (ranked_.selection.on_grid)
      decision_.level = levels_.of(limit);
    else if (kept < most_kept_)
      kept += keep_last_ties(limit, most_kept_ - kept);
    decision_.zeros = size_ - kept;
  }

  /// body(block) for all that is collected. Each thread does so for the tiles that it has seen: their words may be in
  /// its caches alone.
  template <class Body>
  void for_each_block(Body&& body) {
    const std::span blocks = workers_.blocks();
    const int threads = blocks.size() > 1 ? workers_.size() : 1;
    parallel(threads, [&](int thread) {
      for (const CandidateBlock& block : blocks)
        if (threads == 1 || block.owner == &workers_[thread]) body(block);
    });
  }

  /// Sets the bits of candidates above the limit.
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

  /// Sets the bits of the runs that are collected.
  void keep_runs() {
    const std::uint32_t* const end_of_words = words_ + word_count(size_);
    for_each_block([&](const CandidateBlock& block) {
      for (std::int64_t at = 0; at < block.size;) {
        std::uint32_t* const tile = words_ + block.positions[at] / 32;
        const std::int64_t end = at + 1 + block.keys[at];
        for (++at; at < end; ++at) {
          const auto bits = std::uint64_t(block.positions[at]);
          std::uint32_t* const run = tile + 2 * block.keys[at];
          run[0] |= std::uint32_t(bits);
          if (run + 1 < end_of_words) run[1] |= std::uint32_t(bits >> 32);
        }
      }
    });
  }

  /// Sets the bits of the last `count` weights whose key is the limit, or of all of them: smaller indices go first.
  /// Returns how many.
  std::int64_t keep_last_ties(std::uint32_t limit, std::int64_t count) {
    std::vector<std::int64_t> ties;
    for (const auto& [owner, size, keys, positions] : workers_.blocks())
      for (std::int64_t c = 0; c < size; ++c)
        if (keys[c] == limit) ties.push_back(positions[c]);
    std::ranges::sort(ties);
    const std::span last = std::span(ties).last(std::size_t(count));
    decision_.limit.tie_end = last.front();
    for (const std::int64_t tie : last) keep(std::uint64_t(tie), true);
    return count;
  }

  /// Without a branch, which could not be predicted.
  void keep(std::uint64_t position, bool kept) { words_[position / 32] |= std::uint32_t(kept) << (position % 32); }

  const Context& context_;
  const Ranked& ranked_;
  const MaskView& fallback_;
  std::uint32_t* words_;
  Workers& workers_;
  std::int64_t size_, need_;
  std::int64_t most_kept_;  ///< weights that the mask may keep
  std::int64_t rank_;       ///< of the key that decides
  Levels levels_;
  Prediction prediction_;
  KeyBracket bracket_;  ///< holds the key that decides for certain
  Decision decision_;
};

}  // namespace

std::int64_t zeros_of(const MaskView& mask) {
  return mask.words ? mask.size - count_ones(mask.words, word_count(mask.size)) : 0;
}

Decision search(const Context& context, const Ranked& ranked, const MaskView& fallback, std::uint32_t* words,
                Workers& workers) {
  return Search(context, ranked, fallback, words, workers).run();
}

}  // namespace prunecell::cpu
