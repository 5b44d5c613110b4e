// Runs one operation on fixed inputs with one thread. instructions.py counts its instructions under callgrind, and
// nothing else.
#include "cpu/simd/kernels.hpp"

#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>

#include <valgrind/callgrind.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace prunecell;

constexpr std::int64_t size = 1 << 18;

/// Weights that look normal, of any type, the same wherever this runs: integers alone, from a linear generator.
std::vector<std::byte> weights_of(DType dtype) {
  std::uint64_t state = 1;
  std::vector<std::byte> out;
  for (std::int64_t i = 0; i < size; ++i) {
    std::int64_t sum = 0;  // of twelve uniform numbers
    for (int k = 0; k < 12; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      sum += std::int64_t(state >> 40) - (1 << 23);
    }
    const float value = float(sum) * 0x1p-28f;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto half = std::uint16_t(bits >> 16);  // bfloat16
    const auto* bytes =
        dtype == DType::float32 ? reinterpret_cast<const std::byte*>(&bits) : reinterpret_cast<const std::byte*>(&half);
    out.insert(out.end(), bytes, bytes + item_size(dtype));
  }
  return out;
}

/// The call that is counted, after its inputs are made.
struct Call {
  RebuildJob job;
  ApplyJob applied;
  PackJob packed;
  Result result;
};

struct Operation {
  const char* name;
  DType dtype;
  Rule rule;
  bool needs_mask;
  void (*run)(const Context&, Call&);
};

constexpr IterNonStruct magnitude{.threshold = 0.9f, .delta = 1e-3f};
constexpr auto build = [](const Context& context, Call& call) {
  build_masks(context, {&call.job, 1}, {&call.result, 1});
};
const Operation operations[] = {
    {"build_masks float32", DType::float32, magnitude, false, build},
    {"build_masks bfloat16", DType::bfloat16, magnitude, false, build},
    {"build_masks random", DType::float32, Random{.threshold = 0.9f}, false, build},
    {"rebuild_and_apply float32", DType::float32, magnitude, false,
     [](const Context& context, Call& call) {
       rebuild_and_apply(context, {&call.job, 1}, {&call.result, 1});
     }},
    {"apply_masks float32", DType::float32, magnitude, true,
     [](const Context& context, Call& call) {
       apply_masks(context, {&call.applied, 1}, {&call.result, 1});
     }},
    {"pack_weights float32", DType::float32, magnitude, true,
     [](const Context& context, Call& call) {
       pack_weights(context, {&call.packed, 1}, {&call.result, 1});
     }},
};

int run(const Operation& operation) {
  std::vector<std::byte> weights = weights_of(operation.dtype);
  const Mask mask({size});
  const Context context{.threads = 1};
  const TensorView view{weights.data(), size, operation.dtype};
  Call call{.job = {.weights = view, .mask = mask.view(), .rule = operation.rule},
            .applied = {.weights = view, .mask = mask.view()}};
  if (operation.needs_mask) build(context, call);
  const std::int64_t kept = size - mask.zeros();
  std::vector<std::byte> packed(std::size_t(kept) * item_size(operation.dtype));
  call.packed = {view, {packed.data(), kept, operation.dtype}, mask.view()};
  CALLGRIND_TOGGLE_COLLECT;
  operation.run(context, call);
  CALLGRIND_TOGGLE_COLLECT;
  const std::int64_t zeros = call.result.zeros;
  std::printf("%lld weights, %lld zeros\n", static_cast<long long>(size), static_cast<long long>(zeros));
  return zeros < size * 9 / 10;
}

}  // namespace

/// Arguments: variant of the kernels, operation. Without an operation: lists them. 77: this processor lacks the
/// variant.
int main(int count, char** arguments) {
  if (count > 1 && !cpu::force_kernels(arguments[1])) return 77;
  for (const Operation& operation : operations) {
    if (count < 3)
      std::puts(operation.name);
    else if (operation.name == std::string(arguments[2]))
      return run(operation);
  }
  return count < 3 ? 0 : 2;
}
