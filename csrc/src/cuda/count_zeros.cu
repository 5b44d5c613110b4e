#include "cuda/device/select.cuh"
#include "cuda/host/steps.hpp"

namespace prunecell::cuda {
namespace {

__global__ void __launch_bounds__(Policy::block_threads, Policy::resident_blocks) count_zero_weights(Batch batch) {
  for_each_run(batch, [&](int number, const DeviceJob& job, std::int64_t begin, std::int64_t end) {
    unsigned long long zeros = 0;
    with_weight_type(job.dtype, [&](auto weight) {
      using Weight = decltype(weight);
      using Bits = typename Weight::Bits;
      for_each_lane<Lane<Bits>::size>(begin, end, [&](std::int64_t first, int count) {
        const auto keys = magnitude_keys<Weight>(load<Bits>(job.weights, job.size, first, count));
#pragma unroll
        for (int i = 0; i < Lane<Bits>::size; ++i) zeros += i < count && keys.key[i] == 0;
      });
    });
    add_to_outcome(batch.outcomes[number], zeros, false);
  });
}

}  // namespace

void count_zeros(const Session& session) { session.launch(count_zero_weights, session.batch().tiles, session.batch()); }

}  // namespace prunecell::cuda
