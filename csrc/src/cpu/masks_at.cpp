// Building masks from limits that are known, with or without applying them.
#include "api/backend.hpp"
#include "api/bits.hpp"
#include "cpu/apply_masks.hpp"
#include "cpu/decide.hpp"
#include "cpu/kth_smallest/comparison.hpp"

#include <algorithm>

namespace prunecell::cpu {
namespace {

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

/// By limits that are known, one per job.
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

}  // namespace

void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results,
              std::span<const Limit> limits, Apply apply) {
  commit(context, jobs, decide_at(context, jobs, limits), results, apply);
}

}  // namespace prunecell::cpu
