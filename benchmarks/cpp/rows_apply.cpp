// Applying a mask in place, by itself and together with its rebuild, against one read and write of the tensor.
#include "check.hpp"
#include "floor.hpp"
#include "workload.hpp"

namespace benchmarks {
namespace {

using prunecell::build_masks;

/// A tensor that is written, put back before each timing; what its mask was, too.
struct Written {
  std::shared_ptr<const Tensor> original;
  std::shared_ptr<Tensor> tensor;
  std::shared_ptr<Bits> mask, mask_before;

  explicit Written(const Workload& workload)
      : original(workload.tensor()),
        tensor(std::make_shared<Tensor>(workload.dtype, workload.size)),
        mask(std::make_shared<Bits>(workload.size)),
        mask_before(std::make_shared<Bits>(workload.size)) {
    restore();
  }
  void restore() const {
    copy_bytes(original->memory, tensor->memory);
    copy_bytes(mask_before->memory, mask->memory);
  }
  std::function<void()> scale(int threads) const {
    return [tensor = tensor, threads = floor_threads(tensor->bytes(), threads)] {
      floor_rewrite(tensor->memory.data(), tensor->bytes(), 1, threads);
    };
  }
  /// No weight can be cleared before the level is proven, for which all of them are read.
  std::function<void()> read_and_scale(int threads) const {
    return [tensor = tensor, scale = scale(threads), threads = floor_threads(tensor->bytes(), threads)] {
      floor_read(tensor->memory.data(), tensor->bytes(), threads);
      scale();
    };
  }
};

/// The first rebuild of dense weights, or one that raises a mask in force from `start`.
Race fused(const Workload& workload, float start) {
  const Written written(workload);
  const Context context = workload.context();
  if (start > 0) {
    Workload before = workload;
    before.threshold = start;
    once(build_masks, context, before.job(*written.original, *written.mask_before));
    written.restore();
    once(prunecell::apply_masks, context, applying(workload.job(*written.tensor, *written.mask_before)));
  }
  const auto start_weights = std::make_shared<Tensor>(workload.dtype, workload.size);
  copy_bytes(written.tensor->memory, start_weights->memory);

  RebuildJob job = workload.job(*written.tensor, *written.mask);
  if (start > 0) {
    job.old = job.mask;
    job.mask_is_new = false;
  }
  const Result result = once(prunecell::rebuild_and_apply, context, job);
  RebuildJob read = job;
  read.weights = start_weights->view();
  check_iter_nonstruct(read, result, written.mask_before->view());
  check_applied(start_weights->view(), written.tensor->view(), job.mask);
  return {.work = [=] { once(prunecell::rebuild_and_apply, context, job); },
          .yardstick = written.scale(context.threads),
          .prepare =
              [written, start_weights] {
                copy_bytes(start_weights->memory, written.tensor->memory);
                copy_bytes(written.mask_before->memory, written.mask->memory);
              },
          .bound = written.read_and_scale(context.threads)};
}

Race apply(const Workload& workload, bool masked_already) {
  const Written written(workload);
  const Context context = workload.context();
  const RebuildJob built = workload.job(*written.tensor, *written.mask);
  once(build_masks, context, built);
  const prunecell::ApplyJob job = applying(built);
  copy_bytes(written.mask->memory, written.mask_before->memory);
  once(prunecell::apply_masks, context, job);
  check_applied(written.original->view(), written.tensor->view(), job.mask);
  const auto start_weights = std::make_shared<Tensor>(workload.dtype, workload.size);
  copy_bytes((masked_already ? *written.tensor : *written.original).memory, start_weights->memory);
  return {.work = [=] { once(prunecell::apply_masks, context, job); },
          .yardstick = written.scale(context.threads),
          .prepare = [=] { copy_bytes(start_weights->memory, written.tensor->memory); }};
}

}  // namespace

void add_apply_rows(const Options& options) {
  const std::initializer_list<std::int64_t> both_sizes = {power(24), power(26)}, one_size = {power(24)};
  const std::initializer_list<float> three_deltas = {1e-2f, 1e-3f, 1e-5f}, one_delta = {1e-3f};
  for (const std::int64_t size : options.full() ? both_sizes : one_size)
    for (const float threshold : {0.5f, 0.9f})
      for (const int threads : options.threads) {
        const auto add = [&](Workload workload, auto set_up) {
          workload.size = options.size(size);
          workload.threshold = threshold;
          workload.threads = threads;
          add_race(options, workload.name(), workload.fields(), workload.size, [=] { return set_up(workload); });
        };
        for (const float delta : options.full() ? three_deltas : one_delta) {
          add({.group = "fused", .delta = delta}, [](const Workload& one) { return fused(one, 0); });
          add({.group = "fused_rise", .delta = delta},
              [](const Workload& one) { return fused(one, one.threshold - 0.1f); });
        }
        for (const DType dtype : {DType::float32, DType::float16}) {
          add({.group = "apply", .dtype = dtype}, [](const Workload& one) { return apply(one, false); });
          add({.group = "apply_again", .dtype = dtype}, [](const Workload& one) { return apply(one, true); });
        }
      }
}

}  // namespace benchmarks
