// The reference's algorithm, in turns with a rebuild of the same mask: "work" is the reference's, the floor is ours.
#include "check.hpp"
#include "floor.hpp"
#include "workload.hpp"

#include <stdexcept>

namespace benchmarks {
namespace {

Race reference(const Workload& workload, decltype(&reference_iter_nonstruct) algorithm) {
  const auto tensor = workload.tensor();
  const auto mask = std::make_shared<const Bits>(workload.size);
  const auto words = std::make_shared<const Block>(std::size_t(workload.size) * 4);
  const RebuildJob job = workload.job(*tensor, *mask);
  const Context context = workload.context();
  auto* const reference_mask = reinterpret_cast<std::uint32_t*>(words->data());
  const auto run = [=] {
    return algorithm(static_cast<const float*>(job.weights.data), workload.size, workload.threshold, workload.delta,
                     reference_mask, context.threads);
  };
  const Result result = once(prunecell::build_masks, context, job);
  check_iter_nonstruct(job, result);
  if (run() != result.level) throw std::runtime_error("wrong result: the reference's level differs");
  check_words(mask->view(), reference_mask);
  return {.work = [=, held = words] { run(); },
          .yardstick = [=, held = std::pair(tensor, mask)] { once(prunecell::build_masks, context, job); }};
}

}  // namespace

void add_reference_rows(const Options& options) {
  for (const int threads : options.threads) {
    Workload workload = {.group = "reference", .size = options.size(power(24)), .threads = threads};
    const auto add = [&](auto algorithm) {
      // As few rounds as the largest tensors have: one takes as long.
      add_race(options, workload.name(), workload.fields(), power(28), [=] { return reference(workload, algorithm); });
    };
    add(reference_iter_nonstruct);
    workload.group = "reference_vectorized";
    add(reference_vectorized);
  }
}

}  // namespace benchmarks
