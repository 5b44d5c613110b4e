#include <prunecell/error.hpp>
#include <prunecell/pending_results.hpp>

#include "api/check.hpp"
#include "api/pending_results_access.hpp"
#include "api/text.hpp"
#include "api/unreachable.hpp"
#include "cuda/loader/cuda_plugin.hpp"

#include <utility>

namespace prunecell {

struct PendingResults::State {
  std::vector<Result> results;  ///< of a call on the CPU

  Context context;  ///< of a call on a CUDA device
  std::vector<JobWords> words;
  cuda::DeviceMemory memory;
  std::size_t capacity = 0;  ///< outcomes that `memory` holds

  cuda::Outcome* outcomes() const { return static_cast<cuda::Outcome*>(memory.data()); }
  void reserve(Device device, std::size_t count) {
    if (device == context.device && count <= capacity) return;
    memory = cuda::DeviceMemory(device.index, count * sizeof(cuda::Outcome));
    capacity = count;
    context = {.device = device};
  }
};

PendingResults::PendingResults() : state_(std::make_unique<State>()) {}
PendingResults::PendingResults(PendingResults&&) noexcept = default;
PendingResults& PendingResults::operator=(PendingResults&&) noexcept = default;
PendingResults::~PendingResults() = default;

void PendingResults::reserve(Device device, std::size_t results) {
  if (device.kind == Device::Kind::cuda) state_->reserve(device, results);
}

std::vector<Result> PendingResults::wait() const {
  if (state_->words.empty()) return state_->results;
  std::vector<cuda::Outcome> outcomes(state_->words.size());
  cuda::raise(cuda::plugin().read(state_->context, state_->outcomes(), outcomes));
  return results_of(outcomes, state_->words);
}

void PendingResultsAccess::fill(PendingResults& pending, std::span<const Result> results) {
  pending.state_->words.clear();
  pending.state_->results.assign(results.begin(), results.end());
}

cuda::Outcome* PendingResultsAccess::expect(PendingResults& pending, const Context& context,
                                            std::vector<JobWords> words) {
  PendingResults::State& state = *pending.state_;
  state.reserve(context.device, words.size());
  state.context = {.device = context.device, .stream = context.stream};
  state.words = std::move(words);
  state.results.clear();
  return state.outcomes();
}

std::vector<Result> results_of(std::span<const cuda::Outcome> outcomes, std::span<const JobWords> words) {
  std::vector<Result> results;
  for (std::size_t j = 0; j < outcomes.size(); ++j) {
    const cuda::Outcome& outcome = outcomes[j];
    switch (outcome.status) {
      case cuda::Outcome::Status::done: break;
      case cuda::Outcome::Status::unreachable:
        throw_unreachable_threshold(words[j].name, words[j].threshold, words[j].delta, outcome.result.need,
                                    outcome.census);
      case cuda::Outcome::Status::wrong_size: refuse_values(words[j].name + ": values", outcome.kept, words[j].values);
    }
    results.push_back(outcome.result);
    results.back().changed = outcome.changed != 0;
  }
  return results;
}

}  // namespace prunecell
