// Memory at the peak of a rebuild, beyond weights and mask: what operator new handed out, and what became resident.
#include "heap.hpp"
#include "workload.hpp"

#include <prunecell/prune_cell.hpp>

namespace benchmarks {
namespace {

double mib(std::int64_t bytes) { return double(bytes) / double(power(20)); }

double peak_of_build(const Workload& workload) {
  const auto tensor = workload.tensor();
  const Bits mask(workload.size);
  const RebuildJob job = workload.job(*tensor, mask);
  return mib(peak_during([&] { once(prunecell::build_masks, workload.context(), job); }));
}

/// A rise of a cell makes the new mask beside the one in force, which stays until every level is decided.
double peak_of_rise(const Workload& workload) {
  const auto original = workload.tensor();
  const Tensor tensor(workload.dtype, workload.size);
  copy_bytes(original->memory, tensor.memory);
  prunecell::PruneCell cell({.mode = prunecell::Mode::gradual,
                             .filler = workload.filler,
                             .threshold = double(workload.threshold),
                             .delta = double(workload.delta),
                             .start = 0.5,
                             .gamma = 0.2});
  cell.add_tensor({workload.size});
  const prunecell::CellTensor views[] = {{.weights = tensor.view()}};
  cell.initialize(workload.context(), views);
  return mib(peak_during([&] { cell.end_epoch(workload.context(), views); }));
}

}  // namespace

void add_memory_rows(const Options& options) {
  for (const Filler filler : {Filler::iter_nonstruct, Filler::random})
    for (const float delta : {1e-2f, 1e-3f, 1e-6f})
      for (const int threads : options.threads) {
        if (filler == Filler::random && delta != 1e-3f) continue;
        Workload workload = {.group = filler == Filler::random ? "memory_random" : "memory",
                             .size = options.size(power(24)),
                             .delta = delta,
                             .threads = threads,
                             .filler = filler};
        add_number(workload.name(), workload.fields(), "peak_mib", [=] { return peak_of_build(workload); });
        workload.group += "_rise";
        add_number(workload.name(), workload.fields(), "peak_mib", [=] { return peak_of_rise(workload); });
      }
}

}  // namespace benchmarks
