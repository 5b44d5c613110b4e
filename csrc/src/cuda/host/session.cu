#include "cuda/host/session.hpp"

namespace prunecell::cuda {
namespace {

__global__ void place_jobs(JobChunk chunk, DeviceJob* jobs) {
  for (int j = int(threadIdx.x); j < chunk.count; j += Policy::block_threads) jobs[chunk.first + j] = chunk.jobs[j];
}

/// Cuts one piece of memory into arrays.
class Carver {
 public:
  template <class Item>
  std::size_t take(std::int64_t count) {
    const std::size_t at = size_;
    constexpr std::size_t unit = 256;
    size_ += (std::size_t(count) * sizeof(Item) + unit - 1) / unit * unit;
    return at;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

int multiprocessors(int device) {
  int count = 0;
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
  return count;
}

std::int64_t tiles_of(const DeviceJob& job) { return (job.size + Policy::tile_weights - 1) / Policy::tile_weights; }

}  // namespace

Session::Session(const Context& context, std::span<const DeviceJob> jobs, Outcomes outcomes, Needs needs)
    : context_(context),
      max_blocks_(std::int64_t(multiprocessors(context.device.index)) * Policy::blocks_per_processor),
      wanted_(outcomes) {
  if (outcomes.host) check_not_capturing("results", stream());
  if (jobs.empty()) return;
  const auto count = std::int64_t(jobs.size());
  batch_.count = int(count);
  batch_.tiles = jobs.back().first_tile + tiles_of(jobs.back());
  const std::int64_t searches = needs == Needs::search ? count : 0;

  Carver layout;
  const std::size_t at_jobs = layout.take<DeviceJob>(count);
  const std::size_t cleared = layout.size();
  const std::size_t at_failed = layout.take<unsigned int>(1);
  const std::size_t at_searches = layout.take<Search>(searches);
  const std::size_t at_counts = layout.take<DeviceCounts>(searches);
  const std::size_t at_starts = layout.take<unsigned long long>(needs == Needs::starts ? batch_.tiles : 0);
  const std::size_t at_outcomes = layout.take<Outcome>(outcomes.device ? 0 : count);

  scratch_.emplace(context, layout.size());
  unsigned char* memory = scratch_->data();
  batch_.jobs = reinterpret_cast<DeviceJob*>(memory + at_jobs);
  batch_.failed = reinterpret_cast<unsigned int*>(memory + at_failed);
  batch_.searches = reinterpret_cast<Search*>(memory + at_searches);
  batch_.counts = reinterpret_cast<DeviceCounts*>(memory + at_counts);
  batch_.starts = reinterpret_cast<unsigned long long*>(memory + at_starts);
  batch_.outcomes = outcomes.device ? outcomes.device : reinterpret_cast<Outcome*>(memory + at_outcomes);
  check(cudaMemsetAsync(memory + cleared, 0, layout.size() - cleared, stream()), "cudaMemsetAsync");
  if (outcomes.device)
    check(cudaMemsetAsync(outcomes.device, 0, jobs.size() * sizeof(Outcome), stream()), "cudaMemsetAsync");
  place(jobs);
}

void Session::place(std::span<const DeviceJob> jobs) const {
  for (std::size_t first = 0; first < jobs.size(); first += JobChunk::capacity) {
    JobChunk chunk = {};
    const auto part = jobs.subspan(first, std::min<std::size_t>(JobChunk::capacity, jobs.size() - first));
    chunk.first = int(first);
    chunk.count = int(part.size());
    std::ranges::copy(part, chunk.jobs);
    launch(place_jobs, 1, chunk, batch_.jobs);
  }
}

void Session::finish() {
  if (!wanted_.host || batch_.count == 0) return;
  check(cudaMemcpyAsync(wanted_.host, batch_.outcomes, std::size_t(batch_.count) * sizeof(Outcome),
                        cudaMemcpyDeviceToHost, stream()),
        "reading results");
  check(cudaStreamSynchronize(stream()), "reading results");
}

}  // namespace prunecell::cuda
