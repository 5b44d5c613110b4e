// The CUDA half of backend.hpp: each operation goes to the plugin, its results to where the caller wants them.
#include "api/backend.hpp"
#include "api/pending_results_access.hpp"
#include "cuda/loader/cuda_plugin.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace prunecell::cuda {
namespace {

/// operation(outcomes) -> Status.
template <class Operation>
void run(const Context& context, std::vector<JobWords> words, std::span<Result> results, Operation&& operation) {
  if (context.ticket)
    return raise(operation(Outcomes{.device = TicketAccess::expect(*context.ticket, context, words)}));
  if (results.empty()) return raise(operation(Outcomes{}));
  std::vector<Outcome> outcomes(results.size());
  raise(operation(Outcomes{.host = outcomes.data()}));
  std::ranges::copy(results_of(outcomes, words), results.begin());
}

void move_values(const Context& context, std::span<const Job> jobs, std::span<Result> results, Packing packing) {
  std::vector<std::int64_t> values;
  for (const Job& job : jobs) values.push_back(packing == Packing::pack ? job.out.size : job.weights.size);
  run(context, words_of(jobs, values), results,
      [&](Outcomes outcomes) { return plugin().move_values(context, jobs, outcomes, packing); });
}

}  // namespace

void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply) {
  run(context, words_of(jobs), results,
      [&](Outcomes outcomes) { return plugin().rebuild(context, jobs, outcomes, apply); });
}

void apply_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  run(context, words_of(jobs), results,
      [&](Outcomes outcomes) { return plugin().apply_masks(context, jobs, outcomes); });
}

void count_zeros(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  run(context, words_of(jobs), results,
      [&](Outcomes outcomes) { return plugin().count_zeros(context, jobs, outcomes); });
}

void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  move_values(context, jobs, results, Packing::pack);
}

void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  move_values(context, jobs, results, Packing::unpack);
}

void count_levels(const Context& context, std::span<const LevelJob> jobs) {
  raise(plugin().count_levels(context, jobs));
}

}  // namespace prunecell::cuda
