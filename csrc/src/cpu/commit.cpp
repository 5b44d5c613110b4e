#include "api/bits.hpp"
#include "cpu/apply_masks.hpp"
#include "cpu/decide.hpp"
#include "cpu/memory/memory_order.hpp"

#include <algorithm>
#include <bit>

namespace prunecell::cpu {
namespace {

/// Writes `count` words of a mask, from number `first` on, as another has them; no words: all kept.
void copy_mask(const MaskView& mask, const MaskView& other, std::int64_t first, std::int64_t count) {
  if (other.words)
    std::copy_n(other.words + first, count, mask.words + first);
  else
    fill_ones(mask.words + first, std::min(32 * count, mask.size - 32 * first));
}

/// Writes `count` words of a mask, from number `first` on, by the decision.
void write_mask(const RebuildJob& job, const Decision& decision, const std::uint32_t* found, std::int64_t first,
                std::int64_t count) {
  switch (decision.kind) {
    case Decision::Kind::prune_all: std::fill_n(job.mask.words + first, count, 0u); return;
    case Decision::Kind::keep_old: copy_mask(job.mask, job.old, first, count); return;
    case Decision::Kind::fall_back: copy_mask(job.mask, job.fallback, first, count); return;
    default: std::copy_n(found + first, count, job.mask.words + first);
  }
}

/// Brings masks that were found in the order of memory to the logical one.
void write_moved(const Context& context, std::span<const RebuildJob> jobs, const Decided& decided) {
  std::vector<Reordering> moved;
  for (std::size_t j = 0; j < jobs.size(); ++j)
    if (decided.found_moved(j))
      moved.push_back({jobs[j].weights.layout, jobs[j].mask.size, decided.words[j], jobs[j].mask.words});
  to_logical_order(context, moved);
}

/// The jobs that apply the masks. Masks in the order of memory are applied as they were found.
std::vector<ApplyJob> applying(std::span<const RebuildJob> jobs, const Decided& decided) {
  std::vector<ApplyJob> out;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    ApplyJob& job = out.emplace_back(ApplyJob{.weights = jobs[j].weights, .out = jobs[j].pruned, .mask = jobs[j].mask});
    if (!decided.found_moved(j) || !alike(job)) continue;
    job = as_row_major(job);
    job.mask.words = decided.words[j];
  }
  return out;
}

}  // namespace

void commit(const Context& context, std::span<const RebuildJob> jobs, const Decided& decided, std::span<Result> results,
            Apply apply) {
  write_moved(context, jobs, decided);
  const auto is_written = [&](std::size_t j) {
    return decided.found_moved(j) || (decided.found(j) && decided.words[j] == jobs[j].mask.words);
  };
  const auto write = [&](std::size_t j, std::int64_t first, std::int64_t count) {
    write_mask(jobs[j], decided.decisions[j], decided.words[j], first, count);
  };
  const std::vector<ApplyJob> to_apply = apply == Apply::yes ? applying(jobs, decided) : std::vector<ApplyJob>();
  const bool row_major =
      std::ranges::all_of(jobs, [](const RebuildJob& job) { return job.weights.layout.row_major(); });
  if (apply == Apply::yes && row_major) {
    for_each_tile(context, arrays_of(jobs, &RebuildJob::weights), results, [&](const Tile& tile, Scratch& scratch) {
      if (!is_written(tile.job)) write(tile.job, tile.first / 32, word_count(tile.size));
      return TileResult{.changed = select_tile(to_apply[tile.job], tile, scratch)};
    });
  } else {
    Arrays words{.weights_per_item = 32};
    for (std::size_t j = 0; j < jobs.size(); ++j)
      words.sizes.push_back(is_written(j) ? 0 : word_count(jobs[j].mask.size));
    for_each_tile(context, std::move(words), results, [&](const Tile& tile, Scratch&) {
      write(tile.job, tile.first, tile.size);
      return TileResult{};
    });
    if (apply == Apply::yes) cpu::apply_masks(context, to_apply, results);
  }
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Decision& decision = decided.decisions[j];
    results[j].need = decision.need;
    results[j].zeros = decision.zeros;
    results[j].level = decision.level;
    results[j].tied = decision.kind == Decision::Kind::fall_back;
    if (std::holds_alternative<IterNonStruct>(jobs[j].rule))
      results[j].limit = std::bit_cast<float>(decision.limit.key);
    results[j].ends_at = decision.limit;
  }
}

}  // namespace prunecell::cpu
