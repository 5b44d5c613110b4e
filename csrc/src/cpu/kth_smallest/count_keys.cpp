#include "cpu/kth_smallest/count_keys.hpp"
#include "api/backend.hpp"
#include "cpu/memory/key_tile.hpp"
#include "cpu/memory/memory_order.hpp"
#include "semantics/semantics.hpp"

#include <memory>

namespace prunecell::cpu {
namespace {

struct Counter {
  KeyCounts counts;
  KeyTile tile;
  std::uint32_t inside[tile_size];

  void add(const CountTask& task, const Tile& at) {
    read_keys(*task.job, at, tile);
    const KeyBracket& bracket = task.bracket;
    const std::int64_t found = kernels().split(tile.keys, at.size, bracket.first, bracket.last, inside, counts.below);
    const int shift = bracket.shift();
    for (std::int64_t i = 0; i < found; ++i) ++counts.bucket[(inside[i] - bracket.first) >> shift];
  }

  void flush(KeyCounts& total) {
    total.below += counts.below;
    for (std::size_t b = 0; b < counts.bucket.size(); ++b) total.bucket[b] += counts.bucket[b];
    counts = {};
  }
};

}  // namespace

std::vector<KeyCounts> count_keys(const Context& context, std::span<const CountTask> tasks) {
  std::vector<std::int64_t> sizes;
  for (const CountTask& task : tasks) sizes.push_back(task.job->weights.size);
  const TileList tiles({.sizes = std::move(sizes)});
  const int threads = tiles.threads(context.threads);

  std::vector<KeyCounts> totals(tasks.size());
  const auto counters = std::make_unique<Counter[]>(std::size_t(threads));
  tiles.run(
      threads, [&](const Tile& tile, int thread) { counters[std::size_t(thread)].add(tasks[tile.job], tile); },
      [&](std::size_t job, int thread) { counters[std::size_t(thread)].flush(totals[job]); });
  return totals;
}

void count_levels(const Context& context, std::span<const LevelJob> levels) {
  std::vector<Job> jobs;
  std::vector<CountTask> tasks;
  jobs.reserve(levels.size());
  for (const LevelJob& level : levels)
    jobs.push_back({.weights = level.weights, .old = level.old, .rule = {.filler = Filler::iter_nonstruct}});
  const InMemoryOrder in_order(context, jobs, &Job::old);
  for (std::size_t l = 0; l < levels.size(); ++l)
    tasks.push_back({&in_order.jobs()[l], {levels[l].search->first_key(), levels[l].search->last_key()}});
  const std::vector<KeyCounts> counts = count_keys(context, tasks);
  for (std::size_t l = 0; l < levels.size(); ++l) {
    std::int64_t* counters = levels[l].counters;
    std::int64_t seen = counts[l].below;
    for (std::size_t b = 0; b < LevelSearch::bucket_count; ++b) {
      counters[b] += counts[l].bucket[b];
      seen += counts[l].bucket[b];
    }
    std::int64_t* beyond = counters + LevelSearch::bucket_count;
    beyond[0] += counts[l].below;
    if (levels[l].search->rounds() > 0 || seen == levels[l].weights.size) continue;
    const Census rest = census(context, in_order.jobs()[l], tasks[l].bracket.last);
    beyond[1] += rest.finite;
    beyond[2] += rest.inf;
    beyond[3] += rest.nan;
  }
}

Census census(const Context& context, const Job& job, std::uint32_t last) {
  const auto up_to = [&](std::uint32_t key) {
    const CountTask task{&job, {key + 1, UINT32_MAX}};
    return count_keys(context, {&task, 1}).front().below;
  };
  const std::int64_t finite = up_to(semantics::inf_key - 1), numbers = up_to(semantics::inf_key);
  Census out{.size = job.weights.size, .reachable = up_to(last)};
  out.nan = out.size - numbers;
  out.inf = last < semantics::inf_key ? numbers - finite : 0;
  out.finite = numbers - out.inf - out.reachable;
  return out;
}

}  // namespace prunecell::cpu
