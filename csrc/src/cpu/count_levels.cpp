// The counters of LevelSearch.
#include "api/backend.hpp"
#include "api/level_counters.hpp"
#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/memory/memory_order.hpp"

#include <vector>

namespace prunecell::cpu {

void count_levels(const Context& context, std::span<const LevelJob> jobs) {
  std::vector<Ranked> ranked;
  for (const LevelJob& job : jobs)
    ranked.push_back({job.weights, job.old, {.keys = Selection::Keys::magnitudes, .on_grid = true}});
  const RankedInMemoryOrder in_order(context, ranked);
  std::vector<CountTask> tasks;
  for (std::size_t j = 0; j < jobs.size(); ++j)
    tasks.push_back({&ranked[j], {jobs[j].search->first_key(), jobs[j].search->last_key()}});
  const std::vector<KeyCounts> counts = count_keys(context, tasks);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    Census beyond;
    if (jobs[j].search->rounds() == 0 && counts[j].total() < ranked[j].weights.size)
      beyond = census(context, ranked[j], tasks[j].bracket.last);
    LevelCounters(jobs[j].counters).add(counts[j], beyond);
  }
}

}  // namespace prunecell::cpu
