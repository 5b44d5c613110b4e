// Applying masks.
#include "cuda/device/select.cuh"
#include "cuda/host/steps.hpp"

namespace prunecell::cuda {
namespace {

__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) apply_masks_to_weights(Batch batch) {
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    unsigned long long zeros = 0;
    bool changed = false;
    const bool written = is_destination(job, job.weights);
    with_item_bits(job.dtype, [&](auto bits) {
      using Bits = decltype(bits);
      for_each_lane<Lane<Bits>::size>(begin, end, [&](std::int64_t first, int count) {
        const std::uint32_t kept = kept_bits(job.mask, first, count);
        zeros += unsigned(count - __popc(kept));
        changed |= select_lane<Bits>(job, first, count, load<Bits>(job.weights, job.size, first, count, written), kept);
      });
    });
    add_to_outcome(batch.outcomes[number], zeros, changed);
  });
}

}  // namespace

void apply(const Session& session) { session.launch(apply_masks_to_weights, session.batch().tiles, session.batch()); }

}  // namespace prunecell::cuda
