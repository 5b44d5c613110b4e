// Rebuilding a mask reads the weights twice: decide() counts them, then each tile of the mask is written and,
// where asked, applied while its weights are still in the cache. The count of zeros is that of the bits
// written, so it needs no pass of its own.
#include "../backend.hpp"
#include "../bits.hpp"
#include "decide.hpp"
#include "select.hpp"

#include <algorithm>
#include <bit>

namespace prunecell::cpu {
namespace {

/// Writes the mask words of one tile, returns its zeros.
std::int64_t write_mask(const Job& job, const Decision& decision, const Tile& tile, KeyTile& keys) {
  std::uint32_t* words = job.mask.words + tile.first / 32;
  const std::uint32_t* old = job.old.words ? job.old.words + tile.first / 32 : nullptr;
  const std::int64_t count = word_count(tile.size);
  switch (decision.kind) {
    case Decision::Kind::prune_all: std::fill_n(words, count, 0u); return tile.size;
    case Decision::Kind::keep_old:
      if (old)
        std::copy_n(old, count, words);
      else
        fill_ones(words, tile.size);
      return tile.size - count_ones(words, count);
    case Decision::Kind::prune_up_to: break;
  }
  read_keys(job, tile, keys);
  if (job.rule.filler == Filler::iter_nonstruct)
    return tile.size - kernels().pack_above(keys.keys, tile.size, decision.limit, words);

  std::uint32_t above[tile_size / 32];  // `old` may be the mask itself
  kernels().pack_above(keys.keys, tile.size, decision.limit, above);
  auto spared = std::ranges::lower_bound(decision.spared, tile.first);
  for (; spared != decision.spared.end() && *spared < tile.first + tile.size; ++spared)
    above[(*spared - tile.first) / 32] |= 1u << (*spared % 32);
  for (std::int64_t w = 0; w < count; ++w) words[w] = above[w] & (old ? old[w] : UINT32_MAX);
  return tile.size - count_ones(words, count);
}

}  // namespace

void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply) {
  const std::vector<Decision> decisions = decide(context, jobs);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Decision& decision = decisions[j];
    results[j] = {.need = decision.need, .level = decision.level};
    if (jobs[j].rule.filler == Filler::iter_nonstruct) results[j].limit = std::bit_cast<float>(decision.limit);
  }
  for_each_tile(context, weight_sizes(jobs), results, [&](const Tile& tile, Scratch& scratch) {
    const Job& job = jobs[tile.job];
    TileResult done;
    done.zeros = write_mask(job, decisions[tile.job], tile, scratch.keys);
    if (apply == Apply::yes) done.changed = select_tile(job, tile, scratch);
    return done;
  });
}

}  // namespace prunecell::cpu
