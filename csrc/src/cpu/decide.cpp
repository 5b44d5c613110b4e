#include "cpu/decide.hpp"
#include "api/text.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "semantics/semantics.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>

namespace prunecell::cpu {
namespace {

/// Blocks for the candidates of one call: 64 are 3 MiB. More where many threads need some each, and from 2^27 weights
/// on, since the candidates that a sample leaves grow with the weights.
constexpr std::int64_t candidate_blocks = 64, blocks_per_thread = 4, tiles_per_block = 512;

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

}  // namespace

Decided decide(const Context& context, std::span<const RebuildJob> jobs) {
  std::vector<Ranked> ranked = ranked_of(jobs);
  const RankedInMemoryOrder in_order(context, ranked);
  Decided decided = search_all(context, jobs, ranked, FoundWords(jobs, in_order));
  throw_if_unreachable(context, jobs, ranked, decided.decisions);
  return decided;
}

}  // namespace prunecell::cpu
