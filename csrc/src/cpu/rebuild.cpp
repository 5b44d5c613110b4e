// Rebuilding masks: search() reads the weights and leaves each mask in scratch words, which is half the work or all of
// it. When all jobs are decided, the words are committed and, where asked, applied.
#include "../backend.hpp"
#include "../bits.hpp"
#include "../semantics.hpp"
#include "../text.hpp"
#include "count.hpp"
#include "search.hpp"
#include "select.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <functional>
#include <numeric>

namespace prunecell::cpu {
namespace {

/// Weights in question that one call may list, over all threads: 3 MiB; and that each thread may at the least.
constexpr std::int64_t most_candidates = 1 << 18, candidates_per_thread = 1 << 14;
/// Below this many weights per thread a job is left to one thread, while the others decide other jobs.
constexpr std::int64_t weights_to_share = 1 << 17;

/// Scratch words for the masks of all jobs.
class Words {
 public:
  explicit Words(std::span<const Job> jobs) {
    std::int64_t count = 0;
    for (const Job& job : jobs) {
      starts_.push_back(count);
      count += word_count(job.weights.size);
    }
    words_ = std::make_unique_for_overwrite<std::uint32_t[]>(std::size_t(count));
  }
  std::uint32_t* of(std::size_t job) const { return words_.get() + starts_[job]; }

 private:
  std::vector<std::int64_t> starts_;
  std::unique_ptr<std::uint32_t[]> words_;
};

std::vector<Decision> search_all(const Context& context, std::span<const Job> jobs, const Words& words) {
  const auto sizes = weight_sizes(jobs);
  const int threads = thread_count(context.threads, std::accumulate(sizes.begin(), sizes.end(), std::int64_t(0)));
  std::vector<std::unique_ptr<Worker>> workers;
  for (int thread = 0; thread < threads; ++thread)
    workers.push_back(std::make_unique<Worker>(std::max(most_candidates / threads, candidates_per_thread)));
  std::vector<Decision> decisions(jobs.size());
  const auto decide = [&](std::size_t j, Team team) { decisions[j] = search(context, jobs[j], words.of(j), team); };

  std::vector<std::size_t> alone;  // largest first, so that threads end together
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (threads == 1 || sizes[j] < weights_to_share * threads)
      alone.push_back(j);
    else
      decide(j, workers);
  }
  std::ranges::sort(alone, std::greater(), [&](std::size_t j) { return sizes[j]; });
  std::atomic<std::size_t> next = 0;
  parallel(std::min<int>(threads, int(alone.size())), [&](int thread) {
    for (std::size_t a; (a = next++) < alone.size();) decide(alone[a], {&workers[std::size_t(thread)], 1});
  });
  return decisions;
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

void write_mask(const Job& job, const Decision& decision, const std::uint32_t* found, const Tile& tile) {
  std::uint32_t* words = job.mask.words + tile.first / 32;
  const std::int64_t count = word_count(tile.size);
  switch (decision.kind) {
    case Decision::Kind::prune_all: std::fill_n(words, count, 0u); return;
    case Decision::Kind::keep_old:
      if (job.old.words)
        std::copy_n(job.old.words + tile.first / 32, count, words);
      else
        fill_ones(words, tile.size);
      return;
    default: std::copy_n(found + tile.first / 32, count, words);
  }
}

}  // namespace

void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply) {
  const Words words(jobs);
  const std::vector<Decision> decisions = search_all(context, jobs, words);
  throw_if_unreachable(context, jobs, decisions);
  for_each_tile(context, weight_sizes(jobs), results, [&](const Tile& tile, Scratch& scratch) {
    const Job& job = jobs[tile.job];
    write_mask(job, decisions[tile.job], words.of(tile.job), tile);
    return TileResult{.changed = apply == Apply::yes && select_tile(job, tile, scratch)};
  });
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Decision& decision = decisions[j];
    results[j].need = decision.need;
    results[j].zeros = decision.zeros;
    results[j].level = decision.level;
    if (jobs[j].rule.filler == Filler::iter_nonstruct) results[j].limit = std::bit_cast<float>(decision.limit);
  }
}

}  // namespace prunecell::cpu
