// Rebuild and apply on channels-last weights, whose bits follow the row-major index, against the same bytes read, or
// read and written, in their order in memory.
#include "check.hpp"
#include "floor.hpp"
#include "workload.hpp"

namespace benchmarks {
namespace {

/// Weights of shape (outputs, channels, 3, 3).
prunecell::Layout layout_of(const Options& options) {
  return {.channels = options.extent == Extent::check ? 5 : 512, .positions = 9};
}

std::int64_t size_of(const Options& options) {
  const auto [channels, positions] = layout_of(options);
  return (options.extent == Extent::check ? 7 : 4096) * channels * positions;
}

struct ChannelsLast {
  std::shared_ptr<const Tensor> original;
  std::shared_ptr<Tensor> tensor;
  std::shared_ptr<Bits> mask;
  RebuildJob job;

  ChannelsLast(const Workload& workload, prunecell::Layout layout)
      : original(workload.tensor()),
        tensor(std::make_shared<Tensor>(workload.dtype, workload.size)),
        mask(std::make_shared<Bits>(workload.size)),
        job(workload.job(*tensor, *mask)) {
    restore();
    job.weights.layout = layout;
  }
  void restore() const { copy_bytes(original->memory, tensor->memory); }
};

Race rebuild(const Workload& workload, prunecell::Layout layout) {
  const ChannelsLast weights(workload, layout);
  const Context context = workload.context();
  check_iter_nonstruct(weights.job, once(prunecell::build_masks, context, weights.job));
  return {.work = [=] { once(prunecell::build_masks, context, weights.job); },
          .yardstick = [=] { floor_read(weights.tensor->memory.data(), weights.tensor->bytes(), context.threads); }};
}

Race apply(const Workload& workload, prunecell::Layout layout) {
  const ChannelsLast weights(workload, layout);
  const Context context = workload.context();
  once(prunecell::build_masks, context, weights.job);
  once(prunecell::apply_masks, context, applying(weights.job));
  check_applied(weights.original->view(layout), weights.job.weights, weights.job.mask);
  return {
      .work = [=] { once(prunecell::apply_masks, context, applying(weights.job)); },
      .yardstick = [=] { floor_rewrite(weights.tensor->memory.data(), weights.tensor->bytes(), 1, context.threads); },
      .prepare = [=] { weights.restore(); }};
}

}  // namespace

void add_layout_rows(const Options& options) {
  const prunecell::Layout layout = layout_of(options);
  for (const int threads : options.threads) {
    Workload workload = {.group = "channels_last", .size = size_of(options), .threads = threads};
    add_race(options, workload.name(), workload.fields(), workload.size, [=] { return rebuild(workload, layout); });
    workload.group = "channels_last_apply";
    add_race(options, workload.name(), workload.fields(), workload.size, [=] { return apply(workload, layout); });
  }
}

}  // namespace benchmarks
