#include "axis.hpp"
#include "device_copy.hpp"

#include <deque>
#include <vector>

namespace axis {
namespace {

Device chosen = {};

/// The memory of one call, on the device.
class Carried {
 public:
  explicit Carried(std::span<const Job> jobs) : jobs_(jobs.begin(), jobs.end()) {
    for (Job& job : jobs_) {
      for (TensorView* view : {&job.weights, &job.out, &job.otherwise}) carry(*view);
      carry(job.mask);
      carry(job.old);
      carry(job.fallback);
    }
  }

  std::span<const Job> jobs() const { return jobs_; }
  void bring_back() {
    for (DeviceCopy& copy : copies_) copy.download();
  }

 private:
  void* place(void* host, std::size_t bytes) {
    for (DeviceCopy& copy : copies_)  // memory that is named twice is the same memory there
      if (copy.host() == host && copy.size() == bytes) return copy.data();
    return copies_.emplace_back(host, bytes, chosen.index).data();
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

template <class Operation>
void run(Operation&& operation, const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  if (!on_cuda() || context.device.kind == Device::Kind::cuda) return operation(context, jobs, results);
  Carried carried(jobs);
  Context there = context;
  there.device = chosen;
  try {
    operation(there, carried.jobs(), results);
  } catch (...) {
    carried.bring_back();  // a call that throws has changed nothing: for the case to see
    throw;
  }
  carried.bring_back();
}

}  // namespace

Device device() { return chosen; }
void use(Device device) { chosen = device; }

#define AXIS_OPERATION(name)                                                                 \
  void name(const Context& context, std::span<const Job> jobs, std::span<Result> results) {  \
    run([](auto&&... arguments) { prunecell::name(arguments...); }, context, jobs, results); \
  }
AXIS_OPERATION(build_masks)
AXIS_OPERATION(apply_masks)
AXIS_OPERATION(rebuild_and_apply)
AXIS_OPERATION(count_zeros)
AXIS_OPERATION(pack_weights)
AXIS_OPERATION(unpack_weights)
#undef AXIS_OPERATION

void count_levels(const Context& context, std::span<const LevelJob> levels) {
  if (!on_cuda()) return prunecell::count_levels(context, levels);
  std::vector<Job> jobs;
  for (const LevelJob& level : levels) jobs.push_back({.weights = level.weights, .old = level.old});
  const Carried carried(jobs);
  std::vector<LevelJob> there(levels.begin(), levels.end());
  for (std::size_t l = 0; l < levels.size(); ++l) {
    there[l].weights = carried.jobs()[l].weights;
    there[l].old = carried.jobs()[l].old;
  }
  Context on_device = context;
  on_device.device = chosen;
  prunecell::count_levels(on_device, there);
}

}  // namespace axis
