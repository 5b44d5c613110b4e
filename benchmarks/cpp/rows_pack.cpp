// Packing the kept weights and unpacking them, against one read of the dense tensor.
#include "check.hpp"
#include "floor.hpp"
#include "workload.hpp"

namespace benchmarks {
namespace {

Race pack(const Workload& workload, bool back) {
  const auto dense = workload.tensor();
  const auto mask = std::make_shared<const Bits>(workload.size);
  const Context context = workload.context();
  const RebuildJob built = workload.job(*dense, *mask);
  const std::int64_t kept = workload.size - once(prunecell::build_masks, context, built).zeros;
  const auto packed = std::make_shared<const Tensor>(workload.dtype, kept);
  const auto unpacked = std::make_shared<const Tensor>(workload.dtype, workload.size);
  const prunecell::PackJob to_packed = {dense->view(), packed->view(), mask->view()};
  const prunecell::PackJob to_dense = {unpacked->view(), packed->view(), mask->view()};
  once(prunecell::pack_weights, context, to_packed);
  check_packed(dense->view(), mask->view(), packed->view());
  once(prunecell::unpack_weights, context, to_dense);
  check_applied(dense->view(), unpacked->view(), mask->view());
  return {.work =
              [=] {
                if (back)
                  once(prunecell::unpack_weights, context, to_dense);
                else
                  once(prunecell::pack_weights, context, to_packed);
              },
          .yardstick =
              [=, held = std::pair(packed, mask)] {
                floor_read((back ? unpacked : dense)->memory.data(), dense->bytes(), context.threads);
              }};
}

}  // namespace

void add_pack_rows(const Options& options) {
  for (const float threshold : {0.5f, 0.9f})
    for (const DType dtype : {DType::float32, DType::float16})
      for (const int threads : options.threads) {
        Workload workload = {
            .dtype = dtype, .size = options.size(power(24)), .threshold = threshold, .threads = threads};
        for (const bool back : {false, true}) {
          workload.group = back ? "unpack" : "pack";
          add_race(options, workload.name(), workload.fields(), workload.size, [=] { return pack(workload, back); });
        }
      }
}

}  // namespace benchmarks
