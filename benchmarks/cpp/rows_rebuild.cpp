// Rebuilding the mask of one tensor, against one read of it.
#include "check.hpp"
#include "floor.hpp"
#include "workload.hpp"

namespace benchmarks {
namespace {

const std::initializer_list<float> all_thresholds = {0.5f, 0.7f, 0.9f, 0.99f};
const std::initializer_list<float> all_deltas = {1e-2f, 1e-3f, 1e-4f, 1e-5f, 1e-6f};

Race rebuild(const Workload& workload) {
  const auto tensor = workload.tensor();
  const auto mask = std::make_shared<const Bits>(workload.size);
  const RebuildJob job = workload.job(*tensor, *mask);
  const Context context = workload.context();
  const Result result = once(prunecell::build_masks, context, job);
  (workload.filler == Filler::random ? check_random : check_iter_nonstruct)(job, result, {});
  return {.work = [=] { once(prunecell::build_masks, context, job); },
          .yardstick =
              [tensor, mask, threads = floor_threads(tensor->bytes(), context.threads)] {
                floor_read(tensor->memory.data(), tensor->bytes(), threads);
              }};
}

}  // namespace

void add_rebuild(const Options& options, Workload workload) {
  workload.size = options.size(workload.size);
  const Fields fields = workload.fields();
  add_race(options, workload.name(), fields, workload.size, [=] { return rebuild(workload); });
}

void add_rebuild_rows(const Options& options) {
  const auto at_all = [&](Workload workload, auto thresholds, auto deltas) {
    for (const float threshold : thresholds)
      for (const float delta : deltas)
        for (const int threads : options.threads) {
          workload.threshold = threshold;
          workload.delta = delta;
          workload.threads = threads;
          add_rebuild(options, workload);
        }
  };
  const std::initializer_list<float> few_thresholds = {0.9f}, few_deltas = {1e-2f, 1e-3f, 1e-5f};
  const auto thresholds = options.full() ? all_thresholds : few_thresholds;
  const auto deltas = options.full() ? all_deltas : few_deltas;
  const std::initializer_list<std::int64_t> both_sizes = {power(24), power(26)}, one_size = {power(24)};
  for (const std::int64_t size : options.full() ? both_sizes : one_size) {
    for (const std::string& data : smooth_data)
      at_all({.group = "rebuild", .data = data, .size = size}, thresholds, deltas);
    if (const std::int64_t real = std::min(size, real_weight_count()))
      at_all({.group = "rebuild", .data = "real", .size = real}, thresholds, deltas);
    for (const DType dtype : {DType::float16, DType::bfloat16, DType::float64})
      at_all({.group = "rebuild_types", .dtype = dtype, .size = size}, thresholds, deltas);
  }
  at_all({.group = "rebuild_existing", .mask_is_new = false}, few_thresholds, few_deltas);
  at_all({.group = "rebuild_cached", .size = power(20)}, thresholds, deltas);
  at_all({.group = "rebuild_65536", .size = power(16)}, thresholds, deltas);
  at_all({.group = "rebuild_4096", .size = power(12)}, thresholds, deltas);
}

void add_adversarial_rows(const Options& options) {
  const std::initializer_list<float> two_thresholds = {0.5f, 0.9f}, one_threshold = {0.9f};
  for (const std::string& data : adversarial_data)
    for (const float threshold : options.full() ? two_thresholds : one_threshold)
      for (const float delta : {1e-3f, 1e-5f})
        for (const int threads : options.threads)
          add_rebuild(
              options,
              {.group = "adversarial", .data = data, .threshold = threshold, .delta = delta, .threads = threads});
}

void add_size_rows(const Options& options) {
  const int largest_float32 = std::min(options.top, 28);
  const int step = options.full() ? 1 : 3;
  for (const int threads : options.threads) {
    for (int exponent = 10; exponent <= largest_float32; exponent += step)
      add_rebuild(options, {.group = "size", .size = power(exponent), .threads = threads});
    for (int exponent = largest_float32 + 1; exponent <= options.top; ++exponent)
      add_rebuild(options, {.group = "size", .dtype = DType::float16, .size = power(exponent), .threads = threads});
  }
}

void add_random_rows(const Options& options) {
  for (const float threshold : {0.0f, 0.1f, 0.5f, 0.9f, 0.99f, 1.0f})
    for (const int threads : options.threads)
      add_rebuild(options, {.group = "random", .threshold = threshold, .threads = threads, .filler = Filler::random});
}

}  // namespace benchmarks
