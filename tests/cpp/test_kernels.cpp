#include "reference.hpp"

#include "cpu/simd/kernels.hpp"
#include "semantics/semantics.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace prunecell;
using reference::Weights;

/// Makes the library use one variant for a while.
struct Forced {
  explicit Forced(const char* isa) { REQUIRE(cpu::force_kernels(isa)); }
  ~Forced() { cpu::force_kernels(nullptr); }
};

/// Everything that the operations write, over types, sizes, fillers and old masks.
std::vector<std::uint64_t> everything() {
  std::vector<std::uint64_t> out;
  const auto add = [&](const Mask& mask) {
    out.insert(out.end(), mask.view().words, mask.view().words + word_count(mask.size()));
  };
  const auto add_bytes = [&](const Weights& weights) {
    for (std::int64_t i = 0; i < weights.size(); ++i) out.push_back(weights.bits(i));
  };
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : reference::sizes)
      for (const Rule& rule :
           {Rule(IterNonStruct{.threshold = 0.3f, .delta = 0.01f}), Rule(Random{.threshold = 0.3f, .seed = 99})})
        for (const bool with_old : {false, true}) {
          Weights weights = reference::ties(dtype, size), into(dtype, size), other = reference::any_bits(dtype, size);
          for (std::int64_t i = 8; i < size; i += 9) weights.set_bits(i, other.bits(i));
          const Mask old = reference::random_mask(size);
          Mask mask({size});
          const RebuildJob job{
              .weights = weights.view(), .mask = mask.view(), .old = with_old ? old.view() : MaskView{}, .rule = rule};
          Result result;
          rebuild_and_apply({}, {&job, 1}, {&result, 1});
          add(mask);
          add_bytes(weights);
          out.insert(out.end(),
                     {std::uint64_t(result.level), std::uint64_t(result.zeros), std::uint64_t(result.changed)});
          const ApplyJob otherwise{
              .weights = weights.view(), .out = into.view(), .otherwise = other.view(), .mask = old.view()};
          apply_masks({}, {&otherwise, 1}, {&result, 1});
          add_bytes(into);
          Weights values(dtype, size - mask.zeros()), dense(dtype, size);
          const PackJob pack{.dense = weights.view(), .values = values.view(), .mask = mask.view()};
          pack_weights({}, {&pack, 1}, {&result, 1});
          const PackJob unpack{.dense = dense.view(), .values = values.view(), .mask = mask.view()};
          unpack_weights({}, {&unpack, 1}, {&result, 1});
          add_bytes(values);
          add_bytes(dense);
        }
  for (const Layout layout : {Layout{70, 9}, Layout{70, 16}, Layout{12, 200}, Layout{70, 8}, Layout{33, 40}}) {
    Weights weights = reference::ties(DType::float32, 14 * layout.channels * layout.positions);
    const Mask mask = reference::random_mask(weights.size());
    const RebuildJob job{.weights = weights.view(layout),
                         .mask = mask.view(),
                         .old = mask.view(),
                         .rule = IterNonStruct{.threshold = 0.6f, .delta = 0.01f}};
    Result result;
    rebuild_and_apply({}, {&job, 1}, {&result, 1});
    add(mask);
    add_bytes(weights);
  }
  return out;
}

TEST_CASE("every variant that this processor runs gives the same bits") {
  std::vector<std::uint64_t> expected;
  {
    const Forced portable("portable");
    expected = everything();
  }
  for (const cpu::Kernels& variant : cpu::kernel_variants()) {
    CAPTURE(variant.isa);
    if (!variant.supported()) {
      MESSAGE("not on this processor: ", std::string(variant.isa));
      CHECK_FALSE(cpu::force_kernels(variant.isa));
      continue;
    }
    const Forced forced(variant.isa);
    CHECK(std::string(cpu::kernels().isa) == variant.isa);
    CHECK((everything() == expected));
  }
}

TEST_CASE("the portable variant comes first, an unknown one is refused") {
  CHECK(std::string(cpu::kernel_variants().front().isa) == "portable");
  CHECK_FALSE(cpu::force_kernels("none such"));
  const std::string best = cpu::kernels().isa;
  std::string last;
  for (const cpu::Kernels& variant : cpu::kernel_variants())
    if (variant.supported()) last = variant.isa;
  CHECK(best == last);
}

TEST_CASE("the numbers of Random are Philox's in every variant, for blocks beyond 32 bits too") {
  constexpr std::int64_t n = 77;
  for (const cpu::Kernels& variant : cpu::kernel_variants()) {
    if (!variant.supported()) continue;
    for (const std::int64_t first :
         {std::int64_t(0), std::int64_t(4096), (std::int64_t(1) << 34) - 40, std::int64_t(1) << 60}) {
      std::vector<std::uint32_t> keys(n + 1, 99);
      variant.random_keys(first, n, 0x123456789abcdef0u, 7, 9, keys.data());
      for (std::int64_t i = 0; i < n; ++i) {
        const auto block = semantics::philox(std::uint64_t(first + i) / 4, 7, 9, 0x123456789abcdef0u);
        REQUIRE(keys[std::size_t(i)] == block.word[(first + i) % 4]);
      }
      REQUIRE(keys[n] == 99);
    }
  }
}

TEST_CASE("splitting keys keeps order and counts, for brackets of every width") {
  std::mt19937 random(1);
  std::vector<std::uint32_t> keys(cpu::tile_size);
  for (std::uint32_t& key : keys) key = random() % 5 ? std::uint32_t(random()) : UINT32_MAX * (random() % 2);
  const std::pair<std::uint32_t, std::uint32_t> brackets[] = {
      {0, UINT32_MAX}, {0, 0}, {UINT32_MAX, UINT32_MAX}, {1u << 30, 3u << 30}, {keys[7], keys[7]}};
  for (const cpu::Kernels& variant : cpu::kernel_variants()) {
    if (!variant.supported()) continue;
    for (const auto& [first, last] : brackets)
      for (const std::int64_t n : {0, 1, 15, 16, 17, 4095, 4096}) {
        std::vector<std::uint32_t> expected, inside(static_cast<std::size_t>(cpu::tile_size));
        std::int64_t smaller = 0, below = 100;
        for (std::int64_t i = 0; i < n; ++i) {
          const std::uint32_t key = keys[std::size_t(i)];
          if (key >= first && key <= last) expected.push_back(key);
          smaller += key < first;
        }
        const std::int64_t found = variant.split(keys.data(), n, first, last, inside.data(), below);
        REQUIRE(found == std::int64_t(expected.size()));
        REQUIRE(std::equal(expected.begin(), expected.end(), inside.begin()));
        REQUIRE(below == 100 + smaller);
      }
  }
}

}  // namespace
