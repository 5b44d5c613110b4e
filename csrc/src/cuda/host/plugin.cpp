// The plugin's table. Each operation checks memory, makes device jobs of jobs, and runs its steps.
#include "cuda/host/plugin.hpp"
#include "api/check.hpp"
#include "api/level_counters.hpp"
#include "cuda/host/plugin_mark.hpp"
#include "cuda/host/steps.hpp"
#include "fillers/fillers.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace prunecell::cuda {
namespace {

/// Puts the jobs of a call into the form of the kernels.
class DeviceJobs {
 public:
  explicit DeviceJobs(const Context& context) : device_(context.device.index) {}

  void add(const RebuildJob& job, std::size_t number) {
    DeviceJob& out = add(job.weights, job.mask, job.weights.size, tensor_name(job.name, number));
    out.out = tensor("pruned", job.pruned);
    out.old = words("old mask", job.old);
    out.fallback = words("fallback", job.fallback);
    out.selection = selection_of(job.rule);
    out.need = semantics::need(job.weights.size, out.selection.threshold);
  }
  void add(const RebuildJob& job, std::size_t number, const Limit& limit) {
    add(job, number);
    jobs_.back().limit = limit;
    jobs_.back().selection.spares_tensors = false;  // the limit is given
  }
  void add(const ApplyJob& job, std::size_t number) {
    DeviceJob& out = add(job.weights, job.mask, job.weights.size, tensor_name(job.name, number));
    out.out = tensor("out", job.out);
    out.otherwise = tensor("otherwise", job.otherwise);
  }
  void add(const PackJob& job, std::size_t number) {
    DeviceJob& out = add(job.dense, job.mask, job.mask.size, tensor_name(job.name, number));
    out.out = tensor("values", job.values);
    out.need = job.values.size;
  }
  void add(const TensorView& weights, std::size_t number) { add(weights, {}, weights.size, tensor_name({}, number)); }
  void add(const LevelJob& job, std::size_t number) {
    DeviceJob& out = add(job.weights, {}, job.weights.size, tensor_name({}, number));
    out.old = words("old mask", job.old);
    out.selection = {.keys = Selection::Keys::magnitudes, .on_grid = true};
  }

  std::span<const DeviceJob> jobs() const { return jobs_; }

 private:
  DeviceJob& add(const TensorView& weights, const MaskView& mask, std::int64_t size, std::string name) {
    name_ = std::move(name);
    DeviceJob& out = jobs_.emplace_back();
    out.weights = tensor("weights", weights);
    out.mask = words("mask", mask);
    out.size = size;
    out.first_tile = tiles_;
    out.dtype = weights.dtype;
    tiles_ += (size + Policy::tile_weights - 1) / Policy::tile_weights;
    return out;
  }
  DeviceTensor tensor(const char* part, const TensorView& view) const {
    auto* data = static_cast<unsigned char*>(view.data);
    if (!view.data || view.size == 0) return {data, 1, 1};
    check_memory(name_ + ": " + part, view.data, device_);
    const bool plain = view.layout.row_major();
    return {data, plain ? 1 : view.layout.channels, plain ? 1 : view.layout.positions};
  }
  std::uint32_t* words(const char* part, const MaskView& mask) const {
    if (mask.words && mask.size > 0) check_memory(name_ + ": " + part, mask.words, device_);
    return mask.words;
  }

  int device_;
  std::string name_;  ///< of the tensor that is added
  std::vector<DeviceJob> jobs_;
  std::int64_t tiles_ = 0;
};

/// work(session) launches the kernels of one call; `jobs()` gives its jobs.
template <class Jobs, class Work>
Status run(const Context& context, Outcomes outcomes, Needs needs, Jobs&& jobs, Work&& work) {
  return guarded([&] {
    const DeviceScope device(context.device.index);
    const DeviceJobs all = jobs();
    Session session(context, all.jobs(), outcomes, needs);
    work(session);
    session.finish();
  });
}

template <class Job>
DeviceJobs device_jobs(const Context& context, std::span<const Job> jobs) {
  DeviceJobs out(context);
  for (std::size_t j = 0; j < jobs.size(); ++j) out.add(jobs[j], j);
  return out;
}

Status build_masks(const Context& context, std::span<const RebuildJob> jobs, Outcomes outcomes, Apply apply) {
  const auto spared = [](const RebuildJob& job) { return selection_of(job.rule).spares_tensors; };
  return run(
      context, outcomes, Needs::search, [&] { return device_jobs(context, jobs); },
      [&](const Session& session) {
        search(session);
        if (std::ranges::any_of(jobs, spared)) count_survivors(session);
        write(session, apply);
      });
}

Status masks_at(const Context& context, std::span<const RebuildJob> jobs, Outcomes outcomes,
                std::span<const Limit> limits, Apply apply) {
  const auto with_limits = [&] {
    DeviceJobs out(context);
    for (std::size_t j = 0; j < jobs.size(); ++j) out.add(jobs[j], j, limits[j]);
    return out;
  };
  return run(context, outcomes, Needs::search, with_limits, [&](const Session& session) {
    decide_at_limits(session);
    write(session, apply);
  });
}

Status apply_masks(const Context& context, std::span<const ApplyJob> jobs, Outcomes outcomes) {
  return run(
      context, outcomes, Needs::nothing, [&] { return device_jobs(context, jobs); },
      [](const Session& session) { apply(session); });
}

Status count_zeros_of(const Context& context, std::span<const TensorView> weights, Outcomes outcomes) {
  return run(
      context, outcomes, Needs::nothing, [&] { return device_jobs(context, weights); },
      [](const Session& session) { count_zeros(session); });
}

Status move_values(const Context& context, std::span<const PackJob> jobs, Outcomes outcomes, Packing packing) {
  return run(
      context, outcomes, Needs::starts, [&] { return device_jobs(context, jobs); },
      [=](const Session& session) { move(session, packing); });
}

/// The searches as they stand, and what they count added to the counters of the host.
Status count_levels(const Context& context, std::span<const LevelJob> levels) {
  return guarded([&] {
    const DeviceScope device(context.device.index);
    std::vector<Search> searches;
    for (const LevelJob& level : levels) {
      Search search = {};
      search.bracket = search.whole = {level.search->first_key(), level.search->last_key()};
      search.state = Search::State::searching;
      search.census = level.search->rounds() == 0;
      searches.push_back(search);
    }
    std::vector<Outcome> outcomes(levels.size());
    const DeviceJobs all = device_jobs(context, levels);
    Session session(context, all.jobs(), {.host = outcomes.data()}, Needs::search);
    if (levels.empty()) return;
    const Batch& batch = session.batch();
    check(cudaMemcpyAsync(batch.searches, searches.data(), searches.size() * sizeof(Search), cudaMemcpyHostToDevice,
                          session.stream()),
          "count_levels");
    count_round(session);
    std::vector<DeviceCounts> counts(levels.size());
    check(cudaMemcpyAsync(counts.data(), batch.counts, counts.size() * sizeof(DeviceCounts), cudaMemcpyDeviceToHost,
                          session.stream()),
          "count_levels");
    session.finish();
    for (std::size_t l = 0; l < levels.size(); ++l)
      LevelCounters(levels[l].counters).add(counts[l], outcomes[l].census);
  });
}

Status read(const Context& context, const Outcome* outcomes, std::span<Outcome> to) {
  return guarded([&] {
    const DeviceScope device(context.device.index);
    check_not_capturing("results", stream_of(context));
    check(cudaMemcpyAsync(to.data(), outcomes, to.size_bytes(), cudaMemcpyDeviceToHost, stream_of(context)),
          "reading results");
    check(cudaStreamSynchronize(stream_of(context)), "reading results");
  });
}

Status count_devices(int& count) {
  return guarded([&] { count = device_count(); });
}

Status find_device(const void* memory, int& device) {
  return guarded([&] { device = device_of(memory); });
}

Status allocate(int device, std::size_t bytes, void*& memory) {
  return guarded([&] {
    const DeviceScope scope(device);
    check(cudaMalloc(&memory, bytes), "memory of " + to_text(bytes) + " bytes on CUDA device " + to_text(device));
  });
}

Status release(int device, void* memory) {
  return guarded([&] {
    const DeviceScope scope(device);
    check(cudaFree(memory), "cudaFree");
  });
}

Status copy(int device, void* to, const void* from, std::size_t bytes) {
  return guarded([&] {
    const DeviceScope scope(device);
    check(cudaDeviceSynchronize(), "CUDA device " + to_text(device));
    check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "copying " + to_text(bytes) + " bytes");
    check(cudaDeviceSynchronize(), "copying " + to_text(bytes) + " bytes");  // copies within a device do not wait
  });
}

Status copy_on_stream(const Context& context, void* to, const void* from, std::size_t bytes) {
  return guarded([&] {
    const DeviceScope scope(context.device.index);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(context)), "copying weights");
  });
}

constexpr Plugin plugin = {.mark = plugin_mark,
                           .device_count = count_devices,
                           .device_of = find_device,
                           .allocate = allocate,
                           .release = release,
                           .copy = copy,
                           .copy_on_stream = copy_on_stream,
                           .build_masks = build_masks,
                           .masks_at = masks_at,
                           .apply_masks = apply_masks,
                           .count_zeros = count_zeros_of,
                           .move_values = move_values,
                           .count_levels = count_levels,
                           .read = read};

}  // namespace
}  // namespace prunecell::cuda

extern "C" __attribute__((visibility("default"))) const prunecell::cuda::Plugin* prunecell_cuda_plugin();
const prunecell::cuda::Plugin* prunecell_cuda_plugin() { return &prunecell::cuda::plugin; }
