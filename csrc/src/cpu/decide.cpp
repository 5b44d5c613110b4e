#include "decide.hpp"
#include "../bits.hpp"
#include "../semantics.hpp"
#include "../text.hpp"
#include "../unreachable.hpp"
#include "keys.hpp"

#include <algorithm>
#include <cmath>

namespace prunecell::cpu {
namespace {

/// Where the share `p` of so many independent draws ends, give or take six standard deviations. A miss is
/// very rare, and costs one more round, never the answer.
struct Quantile {
  double low, high;
};
Quantile quantile(double p, double draws) {
  const double margin = 6 * std::sqrt(p * (1 - p) / draws) + 2 / draws;
  return {std::max(p - margin, 0.0), std::min(p + margin, 1.0)};
}

KeyBracket predict_random(std::int64_t wanted, std::int64_t candidates) {
  const auto [low, high] = quantile(double(wanted) / double(candidates), double(candidates));
  const auto at = [](double share) { return std::uint32_t(std::min(share * 0x1p32, 0x1p32 - 1)); };
  return {at(low), at(high)};
}

/// The keys of a strided sample bracket the level.
KeyBracket predict_magnitude(const Job& job, std::int64_t need, const KeyBracket& whole) {
  constexpr std::int64_t sample_size = 1 << 14;
  const std::int64_t n = job.weights.size;
  if (n < 16 * sample_size) return whole;
  std::vector<std::uint32_t> sample(sample_size);
  KeyTile one;
  const std::int64_t stride = n / sample_size;
  for (std::int64_t s = 0; s < sample_size; ++s) {
    const std::int64_t index = s * stride + s * 37 % stride;  // not one phase of periodic data
    const void* item = read_tile(job.weights, index, 1, one.weights);
    kernels().magnitude_keys[int(job.weights.dtype)](item, 1, &sample[std::size_t(s)]);
    if (!kept(job.old, index)) sample[std::size_t(s)] = 0;
  }
  std::ranges::sort(sample);
  const auto [low, high] = quantile(double(need) / double(n), double(sample_size));
  const auto rank = [&](double share) { return std::size_t(share * (sample_size - 1)); };
  const std::uint32_t first = low > 0 ? sample[rank(low)] : 0;
  const std::uint32_t last = high < 1 ? sample[rank(high)] : whole.last;
  return first <= whole.last ? KeyBracket{first, std::min(last, whole.last)} : whole;
}

/// One job's way from the whole key range to its decision.
class Search {
 public:
  Search(const Job& job, std::size_t number) : job_(job), number_(number) {
    if (job.weights.size == 0 || job.rule.filler == Filler::none) return;
    decision_.need = semantics::need(job.weights.size, job.rule.threshold);
    if (job.rule.filler == Filler::random)
      begin_random();
    else
      begin_iter_nonstruct();
  }

  bool done() const { return !searching_; }
  CountTask task() const { return {&job_, bracket_}; }
  const Decision& decision() const { return decision_; }

  void advance(const Context& context, const KeyCounts& counts) {
    const auto narrowed = narrow(bracket_, counts, wanted_);
    if (!narrowed) {
      if (bracket_.first == whole_.first && bracket_.last == whole_.last) throw_unreachable(context);
      bracket_ = whole_;
      return;
    }
    bracket_ = narrowed->bracket;
    if (job_.rule.filler == Filler::random)
      settle_random(*narrowed);
    else
      settle_level();
  }

 private:
  void begin_random() {
    const std::int64_t n = job_.weights.size;
    const std::int64_t zeros = job_.old.words ? n - count_ones(job_.old.words, word_count(n)) : 0;
    wanted_ = decision_.need - zeros;
    if (wanted_ <= 0) return;
    if (decision_.need == n) return finish(Decision::Kind::prune_all);
    whole_ = {0, UINT32_MAX};
    bracket_ = predict_random(wanted_, n - zeros);
    searching_ = true;
  }

  void begin_iter_nonstruct() {
    wanted_ = decision_.need;
    if (wanted_ == 0) return finish(Decision::Kind::prune_up_to);  // level 0: exact zeros
    whole_ = {0, semantics::limit_key(job_.rule.delta, semantics::max_level)};
    bracket_ = predict_magnitude(job_, wanted_, whole_);
    searching_ = true;
  }

  void finish(Decision::Kind kind) {
    decision_.kind = kind;
    searching_ = false;
  }

  /// All keys in question belong to one level: that level is the answer.
  void settle_level() {
    const std::int64_t level = semantics::level_of(job_.rule.delta, bracket_.first);
    const std::uint32_t limit = semantics::limit_key(job_.rule.delta, level);
    if (limit < bracket_.last) return;
    decision_.level = level;
    decision_.limit = limit;
    finish(Decision::Kind::prune_up_to);
  }

  /// One key is left, and how many elements share it is known.
  void settle_random(const Narrowed& narrowed) {
    if (bracket_.first != bracket_.last) return;
    decision_.limit = bracket_.first;
    const std::int64_t ties = wanted_ - narrowed.below;
    if (narrowed.inside > ties) spare_all_but(ties);
    finish(Decision::Kind::prune_up_to);
  }

  /// Of the kept elements whose key is the limit the first `ties` go, by index. Two elements share a key once in
  /// 2^32 pairs: this scan is rare.
  void spare_all_but(std::int64_t ties) {
    std::vector<std::uint32_t> keys(tile_size);
    const auto scan = [&](const Tile& tile, int) {
      read_random(job_.rule, job_.old, tile, keys.data());
      for (std::int64_t i = 0; i < tile.size; ++i) {
        const std::int64_t index = tile.first + i;
        if (keys[std::size_t(i)] != decision_.limit || !kept(job_.old, index)) continue;
        if (--ties < 0) decision_.spared.push_back(index);
      }
    };
    TileList({job_.weights.size}).run(1, scan, [](std::size_t, int) {});
  }

  [[noreturn]] void throw_unreachable(const Context& context) const {
    throw_unreachable_threshold(tensor_name(job_.name, number_), job_.rule.threshold, job_.rule.delta, wanted_,
                                census(context, job_, whole_.last));
  }

  const Job& job_;
  std::size_t number_;
  std::int64_t wanted_ = 0;  ///< rank of the key that decides
  KeyBracket whole_, bracket_;
  bool searching_ = false;
  Decision decision_;
};

}  // namespace

std::vector<Decision> decide(const Context& context, std::span<const Job> jobs) {
  std::vector<Search> searches;
  searches.reserve(jobs.size());
  for (const Job& job : jobs) searches.emplace_back(job, searches.size());

  for (;;) {
    std::vector<CountTask> tasks;
    std::vector<Search*> open;
    for (Search& search : searches) {
      if (search.done()) continue;
      open.push_back(&search);
      tasks.push_back(search.task());
    }
    if (open.empty()) break;
    const std::vector<KeyCounts> counts = count_keys(context, tasks);
    for (std::size_t i = 0; i < open.size(); ++i) open[i]->advance(context, counts[i]);
  }

  std::vector<Decision> decisions;
  for (const Search& search : searches) decisions.push_back(search.decision());
  return decisions;
}

}  // namespace prunecell::cpu
