#include "cpu/decide.hpp"
#include "api/bits.hpp"
#include "api/text.hpp"
#include "cpu/apply_masks.hpp"
#include "cpu/kth_smallest/comparison.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/memory/memory_order.hpp"
#include "fillers/fillers.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>

namespace prunecell::cpu {
namespace {

/// Blocks for the candidates of one call: 64 are 3 MiB. More where many threads need some each, and from 2^27 weights
/// on, since the candidates that a sample leaves grow with the weights.
constexpr std::int64_t candidate_blocks = 64, blocks_per_thread = 4, tiles_per_block = 512;

/// Where the words of each mask that is found are to lie: in the mask itself if it is new, else in scratch, so that a
/// failing call keeps the mask in force.
class FoundWords {
 public:
  FoundWords(std::span<const RebuildJob> jobs, const RankedInMemoryOrder& in_order)
      : jobs_(jobs), in_order_(in_order) {}

  std::size_t scratch_bytes() const {
    std::size_t bytes = 0;
    for (std::size_t j = 0; j < jobs_.size(); ++j) bytes += Arena::size_of<std::uint32_t>(scratch(j));
    return bytes;
  }
  void place(Decided& decided) const {
    decided.words.reserve(jobs_.size());
    decided.in_memory_order.reserve(jobs_.size());
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      const std::size_t count = scratch(j);
      decided.words.push_back(in_mask(j) ? jobs_[j].mask.words : decided.arena.take<std::uint32_t>(count).data());
      decided.in_memory_order.push_back(in_order_.moved(j));
    }
    decided.decisions.resize(jobs_.size());
  }

 private:
  bool in_mask(std::size_t j) const { return jobs_[j].mask_is_new && !in_order_.moved(j); }
  std::size_t scratch(std::size_t j) const { return std::size_t(in_mask(j) ? 0 : word_count(jobs_[j].mask.size)); }

  std::span<const RebuildJob> jobs_;
  const RankedInMemoryOrder& in_order_;
};

std::vector<Ranked> ranked_of(std::span<const RebuildJob> jobs) {
  std::vector<Ranked> ranked;
  ranked.reserve(jobs.size());
  for (const RebuildJob& job : jobs) ranked.push_back({job.weights, job.old, selection_of(job.rule)});
  return ranked;
}

/// A job that would keep one thread busy when the others are done is decided by all threads together. The rest are
/// decided by a thread each, largest first, so that threads end together.
Decided search_all(const Context& context, std::span<const RebuildJob> jobs, std::span<const Ranked> ranked,
                   const FoundWords& found) {
  std::vector<std::int64_t> sizes;
  for (const Ranked& one : ranked) sizes.push_back(one.weights.size);
  const std::int64_t weights = std::accumulate(sizes.begin(), sizes.end(), std::int64_t(0));
  const int threads = thread_count(context.threads, weights);
  const std::int64_t tiles = std::max<std::int64_t>(tile_count(weights), 1);
  const auto block_count =
      std::size_t(std::min(std::max({candidate_blocks, blocks_per_thread * threads, tiles / tiles_per_block}), tiles));
  Decided out{Arena(std::size_t(threads) * Worker::bytes() + Arena::size_of<CandidateBlock>(block_count) +
                    found.scratch_bytes())};
  found.place(out);
  std::vector<Worker> scratch;
  for (int thread = 0; thread < threads; ++thread) scratch.emplace_back(out.arena);
  const std::span blocks = out.arena.take<CandidateBlock>(block_count);
  const auto decide_one = [&](std::size_t j, Workers& workers) {
    out.decisions[j] = search(context, ranked[j], jobs[j].fallback, out.words[j], workers);
  };

  std::vector<std::size_t> alone;
  const bool in_pages = weights >= paged_from;
  Workers all(scratch, blocks, in_pages);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (threads == 1 || sizes[j] <= weights / (2 * threads))
      alone.push_back(j);
    else
      decide_one(j, all);
  }
  std::ranges::sort(alone, std::greater(), [&](std::size_t j) { return sizes[j]; });
  std::atomic<std::size_t> next = 0;
  parallel(std::min<int>(threads, int(alone.size())), [&](int thread) {
    const std::size_t share = blocks.size() / std::size_t(threads);
    Workers one({&scratch[std::size_t(thread)], 1}, blocks.subspan(std::size_t(thread) * share, share), in_pages);
    for (std::size_t a; (a = next++) < alone.size();) decide_one(alone[a], one);
  });
  return out;
}

/// Throws the error of the first job whose threshold no level reaches.
void throw_if_unreachable(const Context& context, std::span<const RebuildJob> jobs, std::span<const Ranked> ranked,
                          std::span<const Decision> decisions) {
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (decisions[j].kind != Decision::Kind::unreachable) continue;
    const auto& [threshold, delta] = std::pair(ranked[j].selection.threshold, ranked[j].selection.delta);
    const std::uint32_t last = semantics::limit_key(delta, semantics::max_level);
    throw_unreachable_threshold(tensor_name(jobs[j].name, j), threshold, delta, decisions[j].need,
                                census(context, ranked[j], last));
  }
}

/// The bits of a tile by a limit. Returns how many are kept.
std::int64_t classify_at(const Ranked& ranked, const Limit& limit, const Tile& tile, KeyTile& buffer,
                         std::uint32_t* words) {
  const void* items = read_items(ranked, tile, buffer);
  const std::uint32_t* old = ranked.old.words ? ranked.old.words + tile.first / 32 : nullptr;
  const std::int64_t count = word_count(tile.size);
  const auto keep_above = [&](std::uint32_t key, std::uint32_t* kept) {
    const Comparison comparison = comparison_of(ranked, {0, key});
    CollectedTile collected;
    const auto classify = kernels().classify[int(Collect::nothing)][comparison.item_kind];
    classify(items, nullptr, tile.size, comparison.bounds, old, kept, collected);
  };
  keep_above(limit.key, words);
  const std::int64_t tie_end = std::max<std::int64_t>(limit.tie_end - tile.first, 0);
  if (tie_end < tile.size) {  // from there on weights at the limit are kept, too
    std::uint32_t kept[tile_size / 32];
    if (limit.key > 0)
      keep_above(limit.key - 1, kept);
    else if (old)
      std::copy_n(old, count, kept);
    else
      fill_ones(kept, tile.size);
    kept[tie_end / 32] &= ~std::uint32_t(0) << (tie_end % 32);
    for (std::int64_t w = tie_end / 32; w < count; ++w) words[w] |= kept[w];
  }
  return count_ones(words, count);
}

}  // namespace

Decided decide(const Context& context, std::span<const RebuildJob> jobs) {
  std::vector<Ranked> ranked = ranked_of(jobs);
  const RankedInMemoryOrder in_order(context, ranked);
  Decided decided = search_all(context, jobs, ranked, FoundWords(jobs, in_order));
  throw_if_unreachable(context, jobs, ranked, decided.decisions);
  return decided;
}

Decided decide_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits) {
  std::vector<Ranked> ranked = ranked_of(jobs);
  const RankedInMemoryOrder in_order(context, ranked);
  const FoundWords found(jobs, in_order);
  Decided decided{Arena(found.scratch_bytes())};
  found.place(decided);
  std::vector<Result> kept(jobs.size());
  Arrays arrays{.page = tile_size};
  for (const Ranked& one : ranked) {
    const bool keeps_old = one.selection.keys == Selection::Keys::none;
    arrays.sizes.push_back(keeps_old ? 0 : one.weights.size);
  }
  for_each_tile(context, std::move(arrays), kept, [&](const Tile& tile, Scratch&) {
    const std::size_t j = tile.job;
    KeyTile buffer;
    return TileResult{.zeros = tile.size -
                               classify_at(ranked[j], limits[j], tile, buffer, decided.words[j] + tile.first / 32)};
  });
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    Decision& decision = decided.decisions[j];
    decision.limit = limits[j];
    if (ranked[j].selection.keys == Selection::Keys::none) {
      decision.zeros = zeros_of(jobs[j].old);
      continue;
    }
    decision.kind = Decision::Kind::found;
    decision.zeros = kept[j].zeros;
  }
  return decided;
}

}  // namespace prunecell::cpu
