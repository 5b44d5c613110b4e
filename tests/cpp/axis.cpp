#include "axis.hpp"
#include "device_copy.hpp"

#include <deque>
#include <vector>

namespace axis {
namespace {

Device chosen = {};

/// The memory of one call, on the device.
template <class Job>
class Carried {
 public:
  explicit Carried(std::span<const Job> jobs) : jobs_(jobs.begin(), jobs.end()) {
    for (Job& job : jobs_) carry(job);
  }

  std::span<const Job> jobs() const { return jobs_; }
  void bring_back() {
    for (DeviceCopy& copy : copies_) copy.download();
  }

 private:
  void* place(void* host, std::size_t bytes) {
    for (DeviceCopy& copy : copies_)  // memory that is listed twice is the same memory on the device
      if (copy.host() == host && copy.size() == bytes) return copy.data();
    return copies_.emplace_back(host, bytes, chosen.index).data();
  }
  void carry(RebuildJob& job) {
    carry(job.weights);
    carry(job.pruned);
    carry(job.mask);
    carry(job.old);
    carry(job.fallback);
  }
  void carry(ApplyJob& job) {
    carry(job.weights);
    carry(job.out);
    carry(job.otherwise);
    carry(job.mask);
  }
  void carry(PackJob& job) {
    carry(job.dense);
    carry(job.values);
    carry(job.mask);
  }
  void carry(LevelJob& job) {
    carry(job.weights);
    carry(job.old);
  }
  void carry(TensorView& view) {
    if (view.device.kind != Device::Kind::cpu) return;  // a case about devices
    view.device = chosen;
    if (view.data && view.size > 0) view.data = place(view.data, std::size_t(view.size) * item_size(view.dtype));
  }
  void carry(MaskView& mask) {
    mask.device = chosen;
    if (mask.words && mask.size > 0)
      mask.words = static_cast<std::uint32_t*>(place(mask.words, std::size_t(word_count(mask.size)) * 4));
  }

  std::vector<Job> jobs_;
  std::deque<DeviceCopy> copies_;
};

/// operation(context, jobs)
template <class Job, class Operation>
void run(const Context& context, std::span<const Job> jobs, Operation&& operation) {
  if (!on_cuda() || context.device.kind == Device::Kind::cuda) return operation(context, jobs);
  Carried<Job> carried(jobs);
  Context there = context;
  there.device = chosen;
  try {
    operation(there, carried.jobs());
  } catch (...) {
    carried.bring_back();  // the case checks that a call that throws has changed nothing
    throw;
  }
  carried.bring_back();
}

}  // namespace

Device device() { return chosen; }
void use(Device device) { chosen = device; }

#define AXIS_OPERATION(name, Job)                                                                              \
  void name(const Context& context, std::span<const Job> jobs, std::span<Result> results) {                    \
    run(context, jobs, [=](const Context& there, auto carried) { prunecell::name(there, carried, results); }); \
  }
AXIS_OPERATION(build_masks, RebuildJob)
AXIS_OPERATION(rebuild_and_apply, RebuildJob)
AXIS_OPERATION(apply_masks, ApplyJob)
AXIS_OPERATION(count_zeros, TensorView)
AXIS_OPERATION(pack_weights, PackJob)
AXIS_OPERATION(unpack_weights, PackJob)
#undef AXIS_OPERATION

void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits,
              std::span<Result> results, bool apply) {
  run(context, jobs,
      [=](const Context& there, auto carried) { prunecell::masks_at(there, carried, limits, results, apply); });
}

void count_levels(const Context& context, std::span<const LevelJob> levels) {
  run(context, levels, [](const Context& there, auto carried) { prunecell::count_levels(there, carried); });
}

}  // namespace axis
