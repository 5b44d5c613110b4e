// The CUDA half of backend.hpp: each operation goes to the plugin, its results to where the caller wants them.
#include "api/backend.hpp"
#include "api/pending_results_access.hpp"
#include "api/text.hpp"
#include "cuda/loader/cuda_plugin.hpp"
#include "fillers/fillers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace prunecell::cuda {
namespace {

JobWords words_of(const RebuildJob& job, std::size_t number) {
  const Selection selection = selection_of(job.rule);
  return {tensor_name(job.name, number), selection.threshold, selection.delta};
}
JobWords words_of(const ApplyJob& job, std::size_t number) { return {tensor_name(job.name, number)}; }
JobWords words_of(const TensorView&, std::size_t number) { return {tensor_name({}, number)}; }
JobWords words_of(const PackJob& job, std::size_t number) {
  return {.name = tensor_name(job.name, number), .values = job.values.size};
}

/// operation(outcomes) -> Status.
template <class Job, class Operation>
void run(const Context& context, std::span<const Job> jobs, std::span<Result> results, Operation&& operation) {
  if (!context.pending && results.empty()) return raise(operation(Outcomes{}));
  std::vector<JobWords> words;
  for (std::size_t j = 0; j < jobs.size(); ++j) words.push_back(words_of(jobs[j], j));
  if (context.pending)
    return raise(operation(Outcomes{.device = PendingResultsAccess::expect(*context.pending, context, words)}));
  std::vector<Outcome> outcomes(results.size());
  raise(operation(Outcomes{.host = outcomes.data()}));
  std::ranges::copy(results_of(outcomes, words), results.begin());
}

}  // namespace

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results, Apply apply) {
  run(context, jobs, results, [&](Outcomes outcomes) { return plugin().build_masks(context, jobs, outcomes, apply); });
}

void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results,
              std::span<const Limit> limits, Apply apply) {
  run(context, jobs, results,
      [&](Outcomes outcomes) { return plugin().masks_at(context, jobs, outcomes, limits, apply); });
}

void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results) {
  run(context, jobs, results, [&](Outcomes outcomes) { return plugin().apply_masks(context, jobs, outcomes); });
}

void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results) {
  run(context, weights, results, [&](Outcomes outcomes) { return plugin().count_zeros(context, weights, outcomes); });
}

void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  run(context, jobs, results,
      [&](Outcomes outcomes) { return plugin().move_values(context, jobs, outcomes, Packing::pack); });
}

void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  run(context, jobs, results,
      [&](Outcomes outcomes) { return plugin().move_values(context, jobs, outcomes, Packing::unpack); });
}

void count_levels(const Context& context, std::span<const LevelJob> jobs) {
  raise(plugin().count_levels(context, jobs));
}

}  // namespace prunecell::cuda
