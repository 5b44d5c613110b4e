// Rebuilding masks: search() reads the weights and leaves each mask in words, which is half the work or all of it: in
// scratch words, as long as what the mask was may still be needed. When all jobs are decided, those are committed and,
// where asked, masks are applied.
#include "api/backend.hpp"
#include "api/bits.hpp"
#include "api/text.hpp"
#include "cpu/apply_masks.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/kth_smallest/search.hpp"
#include "cpu/memory/memory_order.hpp"
#include "semantics/semantics.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <functional>
#include <numeric>

namespace prunecell::cpu {
namespace {

/// Room for weights in question in one call: 3 MiB; more where each of very many threads needs some, and from 2^27
/// weights on, of which a sample leaves the more in question the more they are.
constexpr std::int64_t candidate_blocks = 64, blocks_per_thread = 4, tiles_per_block = 512;

/// What comes of the searches: a decision for each job, and the words that it may speak of.
struct Searched {
  Arena arena;
  std::vector<std::uint32_t*> words;
  std::vector<Decision> decisions;
};

Searched search_all(const Context& context, std::span<const Job> jobs) {
  const std::vector<std::int64_t> sizes = arrays_of(jobs, &Job::weights).sizes;
  const std::int64_t weights = std::accumulate(sizes.begin(), sizes.end(), std::int64_t(0));
  const int threads = thread_count(context.threads, weights);
  const std::int64_t tiles = std::max<std::int64_t>(tile_count(weights), 1);
  const auto block_count =
      std::size_t(std::min(std::max({candidate_blocks, blocks_per_thread * threads, tiles / tiles_per_block}), tiles));
  std::size_t bytes = std::size_t(threads) * Worker::bytes() + Arena::size_of<CandidateBlock>(block_count);
  const auto scratch = [](const Job& job) { return std::size_t(job.mask_is_new ? 0 : word_count(job.mask.size)); };
  for (const Job& job : jobs) bytes += Arena::size_of<std::uint32_t>(scratch(job));

  Searched out{Arena(bytes), {}, std::vector<Decision>(jobs.size())};
  for (const Job& job : jobs)
    out.words.push_back(job.mask_is_new ? job.mask.words : out.arena.take<std::uint32_t>(scratch(job)).data());
  std::vector<Worker> workers;
  for (int thread = 0; thread < threads; ++thread) workers.emplace_back(out.arena);
  const std::span blocks = out.arena.take<CandidateBlock>(block_count);
  const auto decide = [&](std::size_t j, Team& team) {
    out.decisions[j] = search(context, jobs[j], out.words[j], team);
  };

  // A job that would keep one thread busy when the others are done is decided by all together, the rest by a thread
  // each: largest first, so that threads end together.
  std::vector<std::size_t> alone;
  const bool in_pages = weights >= paged_from;
  Team all(workers, blocks, in_pages);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (threads == 1 || sizes[j] <= weights / (2 * threads))
      alone.push_back(j);
    else
      decide(j, all);
  }
  std::ranges::sort(alone, std::greater(), [&](std::size_t j) { return sizes[j]; });
  std::atomic<std::size_t> next = 0;
  parallel(std::min<int>(threads, int(alone.size())), [&](int thread) {
    const std::size_t share = blocks.size() / std::size_t(threads);
    Team one({&workers[std::size_t(thread)], 1}, blocks.subspan(std::size_t(thread) * share, share), in_pages);
    for (std::size_t a; (a = next++) < alone.size();) decide(alone[a], one);
  });
  return out;
}

/// The first of the jobs whose threshold no level reaches.
void throw_if_unreachable(const Context& context, std::span<const Job> jobs, std::span<const Decision> decisions) {
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (decisions[j].kind != Decision::Kind::unreachable) continue;
    const Rule& rule = jobs[j].rule;
    const std::uint32_t last = semantics::limit_key(rule.delta, semantics::max_level);
    throw_unreachable_threshold(tensor_name(jobs[j].name, j), rule.threshold, rule.delta, decisions[j].need,
                                census(context, jobs[j], last));
  }
}

/// Writes `count` words of a mask, from number `first` on, as another has them; no words: all kept.
void copy_mask(const MaskView& mask, const MaskView& other, std::int64_t first, std::int64_t count) {
  if (other.words)
    std::copy_n(other.words + first, count, mask.words + first);
  else
    fill_ones(mask.words + first, std::min(32 * count, mask.size - 32 * first));
}

/// Writes `count` words of a mask, from number `first` on, by the decision.
void write_mask(const Job& job, const Decision& decision, const std::uint32_t* found, std::int64_t first,
                std::int64_t count) {
  switch (decision.kind) {
    case Decision::Kind::prune_all: std::fill_n(job.mask.words + first, count, 0u); return;
    case Decision::Kind::keep_old: copy_mask(job.mask, job.old, first, count); return;
    case Decision::Kind::fall_back: copy_mask(job.mask, job.fallback, first, count); return;
    default: std::copy_n(found + first, count, job.mask.words + first);
  }
}

/// Whether the mask of a job was found in the order of memory, which is not the logical one.
bool found_moved(const InMemoryOrder& in_order, const Searched& searched, std::size_t job) {
  return in_order.moved(job) && searched.decisions[job].kind == Decision::Kind::searched;
}

/// The jobs, with masks that were found in the order of memory as they were found.
std::vector<Job> as_found(std::span<const Job> jobs, const InMemoryOrder& in_order, const Searched& searched) {
  std::vector<Job> out(jobs.begin(), jobs.end());
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (!found_moved(in_order, searched, j) || !alike(jobs[j])) continue;
    out[j] = as_row_major(jobs[j]);
    out[j].mask.words = searched.words[j];
  }
  return out;
}

}  // namespace

void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply) {
  const InMemoryOrder in_order(context, jobs, &Job::old);
  const Searched searched = search_all(context, in_order.jobs());
  throw_if_unreachable(context, in_order.jobs(), searched.decisions);
  std::vector<Reordering> found;
  for (std::size_t j = 0; j < jobs.size(); ++j)
    if (found_moved(in_order, searched, j))
      found.push_back({jobs[j].weights.layout, jobs[j].mask.size, searched.words[j], jobs[j].mask.words});
  to_logical_order(context, found);
  const auto is_written = [&](std::size_t j) {
    return found_moved(in_order, searched, j) ||
           (jobs[j].mask_is_new && searched.decisions[j].kind == Decision::Kind::searched);
  };
  const auto write = [&](std::size_t j, std::int64_t first, std::int64_t count) {
    write_mask(jobs[j], searched.decisions[j], searched.words[j], first, count);
  };
  const bool at_once = std::ranges::all_of(jobs, [](const Job& job) { return job.weights.layout.row_major(); });
  if (apply == Apply::yes && at_once) {
    for_each_tile(context, arrays_of(jobs, &Job::weights), results, [&](const Tile& tile, Scratch& scratch) {
      if (!is_written(tile.job)) write(tile.job, tile.first / 32, word_count(tile.size));
      return TileResult{.changed = select_tile(jobs[tile.job], tile, scratch)};
    });
  } else {
    Arrays words{.weights_per_item = 32};
    for (std::size_t j = 0; j < jobs.size(); ++j)
      words.sizes.push_back(is_written(j) ? 0 : word_count(jobs[j].mask.size));
    for_each_tile(context, std::move(words), results, [&](const Tile& tile, Scratch&) {
      write(tile.job, tile.first, tile.size);
      return TileResult{};
    });
    if (apply == Apply::yes) cpu::apply_masks(context, as_found(jobs, in_order, searched), results);
  }
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Decision& decision = searched.decisions[j];
    results[j].need = decision.need;
    results[j].zeros = decision.zeros;
    results[j].level = decision.level;
    results[j].tied = decision.kind == Decision::Kind::fall_back;
    if (jobs[j].rule.filler == Filler::iter_nonstruct) results[j].limit = std::bit_cast<float>(decision.limit);
  }
}

}  // namespace prunecell::cpu
