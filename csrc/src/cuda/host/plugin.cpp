// The plugin's table: checks memory, makes device jobs of jobs, runs the steps of each operation.
#include "cuda/host/plugin.hpp"
#include "api/check.hpp"
#include "cuda/host/plugin_mark.hpp"
#include "cuda/host/steps.hpp"

#include <algorithm>
#include <vector>

namespace prunecell::cuda {
namespace {

DeviceTensor device_tensor(const std::string& what, const TensorView& view, int device) {
  if (!view.data || view.size == 0) return {static_cast<unsigned char*>(view.data), 1, 1};
  check_memory(what, view.data, device);
  const bool plain = view.layout.row_major();
  return {static_cast<unsigned char*>(view.data), plain ? 1 : view.layout.channels, plain ? 1 : view.layout.positions};
}

std::uint32_t* device_words(const std::string& what, const MaskView& mask, int device) {
  if (mask.words && mask.size > 0) check_memory(what, mask.words, device);
  return mask.words;
}

/// Jobs in the form of the kernels; `size` and `need` of each as the operation sees them.
template <class Describe>
std::vector<DeviceJob> device_jobs(const Context& context, std::span<const Job> jobs, Describe&& describe) {
  const int device = context.device.index;
  std::vector<DeviceJob> out;
  out.reserve(jobs.size());
  std::int64_t tiles = 0;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Job& job = jobs[j];
    const std::string tensor = tensor_name(job.name, j);
    const auto [size, need] = describe(job);
    out.push_back({.weights = device_tensor(tensor + ": weights", job.weights, device),
                   .out = device_tensor(tensor + ": out", job.out, device),
                   .otherwise = device_tensor(tensor + ": otherwise", job.otherwise, device),
                   .mask = device_words(tensor + ": mask", job.mask, device),
                   .old = device_words(tensor + ": old mask", job.old, device),
                   .fallback = device_words(tensor + ": fallback", job.fallback, device),
                   .size = size,
                   .first_tile = tiles,
                   .need = need,
                   .seed = job.rule.seed,
                   .tensor = job.rule.tensor,
                   .rise = job.rule.rise,
                   .delta = job.rule.delta,
                   .dtype = job.weights.dtype,
                   .filler = job.rule.filler,
                   .may_fall_back = job.rule.may_fall_back()});
    tiles += (size + Policy::tile_weights - 1) / Policy::tile_weights;
  }
  return out;
}

struct Extent {
  std::int64_t size, need;
};
Extent of_weights(const Job& job) { return {job.weights.size, 0}; }

/// work(session) launches the kernels of one call.
template <class Describe, class Work>
Status run(const Context& context, std::span<const Job> jobs, Outcomes outcomes, Needs needs, Describe&& describe,
           Work&& work) {
  return guarded([&] {
    const DeviceScope device(context.device.index);
    Session session(context, device_jobs(context, jobs, describe), outcomes, needs);
    work(session);
    session.finish();
  });
}

Status rebuild(const Context& context, std::span<const Job> jobs, Outcomes outcomes, Apply apply) {
  const auto extent = [](const Job& job) {
    return Extent{job.weights.size, semantics::need(job.weights.size, job.rule.threshold)};
  };
  return run(context, jobs, outcomes, Needs::search, extent, [&](const Session& session) {
    search(session);
    if (std::ranges::any_of(jobs, [](const Job& job) { return job.rule.may_fall_back(); })) count_survivors(session);
    write(session, apply);
  });
}

Status apply_masks(const Context& context, std::span<const Job> jobs, Outcomes outcomes) {
  return run(context, jobs, outcomes, Needs::nothing, of_weights, [](const Session& session) { apply(session); });
}

Status count_zeros_of(const Context& context, std::span<const Job> jobs, Outcomes outcomes) {
  return run(context, jobs, outcomes, Needs::nothing, of_weights, [](const Session& session) { count_zeros(session); });
}

Status move_values(const Context& context, std::span<const Job> jobs, Outcomes outcomes, Packing packing) {
  const auto extent = [=](const Job& job) {
    return Extent{job.mask.size, packing == Packing::pack ? job.out.size : job.weights.size};
  };
  return run(context, jobs, outcomes, Needs::starts, extent, [=](const Session& session) { move(session, packing); });
}

/// The searches as they stand, and what they count added to the counters of the host.
Status count_levels(const Context& context, std::span<const LevelJob> levels) {
  return guarded([&] {
    const DeviceScope device(context.device.index);
    std::vector<Job> jobs;
    std::vector<Search> searches;
    for (const LevelJob& level : levels) {
      jobs.push_back({.weights = level.weights, .old = level.old, .rule = {.filler = Filler::iter_nonstruct}});
      Search search = {};
      search.bracket = search.whole = {level.search->first_key(), level.search->last_key()};
      search.state = Search::State::searching;
      search.census = level.search->rounds() == 0;
      searches.push_back(search);
    }
    std::vector<Outcome> outcomes(levels.size());
    Session session(context, device_jobs(context, jobs, of_weights), {.host = outcomes.data()}, Needs::search);
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
    for (std::size_t l = 0; l < levels.size(); ++l) {
      std::int64_t* counters = levels[l].counters;
      for (std::size_t b = 0; b < LevelSearch::bucket_count; ++b) counters[b] += std::int64_t(counts[l].bucket[b]);
      std::int64_t* beyond = counters + LevelSearch::bucket_count;
      beyond[0] += std::int64_t(counts[l].below);
      beyond[1] += outcomes[l].census.finite;
      beyond[2] += outcomes[l].census.inf;
      beyond[3] += outcomes[l].census.nan;
    }
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
                           .rebuild = rebuild,
                           .apply_masks = apply_masks,
                           .count_zeros = count_zeros_of,
                           .move_values = move_values,
                           .count_levels = count_levels,
                           .read = read};

}  // namespace
}  // namespace prunecell::cuda

extern "C" __attribute__((visibility("default"))) const prunecell::cuda::Plugin* prunecell_cuda_plugin();
const prunecell::cuda::Plugin* prunecell_cuda_plugin() { return &prunecell::cuda::plugin; }
