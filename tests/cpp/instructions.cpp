// Runs one operation on fixed inputs with one thread, for instructions.py, which counts what it executes under
// callgrind. Nothing else is counted.
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

struct Operation {
  const char* name;
  DType dtype;
  Filler filler;
  void (*run)(const Context&, std::span<const Job>, std::span<Result>);
};

const Operation operations[] = {
    {"build_masks float32", DType::float32, Filler::iter_nonstruct, build_masks},
    {"build_masks bfloat16", DType::bfloat16, Filler::iter_nonstruct, build_masks},
    {"build_masks random", DType::float32, Filler::random, build_masks},
    {"rebuild_and_apply float32", DType::float32, Filler::iter_nonstruct, rebuild_and_apply},
    {"apply_masks float32", DType::float32, Filler::iter_nonstruct, apply_masks},
    {"pack_weights float32", DType::float32, Filler::iter_nonstruct, pack_weights},
};

int run(const Operation& operation) {
  std::vector<std::byte> weights = weights_of(operation.dtype);
  const Mask mask({size});
  const Context context{.threads = 1};
  Job job{.weights = {weights.data(), size, operation.dtype},
          .mask = mask.view(),
          .rule = {.filler = operation.filler, .threshold = 0.9f, .delta = 1e-3f}};
  Result result;
  if (operation.run == apply_masks || operation.run == pack_weights) build_masks(context, {&job, 1}, {&result, 1});
  std::vector<std::byte> packed(std::size_t(size - mask.zeros()) * item_size(operation.dtype));
  if (operation.run == pack_weights) job.out = {packed.data(), size - mask.zeros(), operation.dtype};
  CALLGRIND_TOGGLE_COLLECT;
  operation.run(context, {&job, 1}, {&result, 1});
  CALLGRIND_TOGGLE_COLLECT;
  std::printf("%lld weights, %lld zeros\n", static_cast<long long>(size), static_cast<long long>(result.zeros));
  return result.zeros < size * 9 / 10;
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
