#include "axis.hpp"
#include "checks.hpp"

#include "semantics/semantics.hpp"

#include <prunecell/error.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>

namespace {

using namespace prunecell;
using checks::build;
using checks::check_against_reference;
using checks::magnitude;
using reference::Weights;

constexpr float shares[] = {0.0f, 1e-7f, 0.05f, 0.5f, 0.9f, 1.0f};

void check_every_type_and_size(std::initializer_list<float> deltas) {
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : reference::sizes)
      for (const float threshold : shares) {
        CAPTURE(name(dtype));
        CAPTURE(size);
        CAPTURE(threshold);
        Weights ties = reference::ties(dtype, size), any = reference::any_bits(dtype, size);
        const Mask old = reference::random_mask(size);
        for (const float delta : deltas) {
          check_against_reference(ties, threshold, delta);
          check_against_reference(any, threshold, delta);
          check_against_reference(ties, threshold, delta, &old);
        }
      }
}

TEST_CASE("masks of IterNonStruct are those of the definition, for every type and size") {
  check_every_type_and_size({0.01f});
}

TEST_SUITE_BEGIN("deltas");
TEST_CASE("masks of IterNonStruct are those of the definition, for every delta") {
  check_every_type_and_size({1 / 64.0f, 1e-7f, 1e-38f, 7e-45f, 1e28f});
}
TEST_SUITE_END();

TEST_CASE("weights of one ulp beside the limit fall on the right side") {
  for (const float delta : {0.001f, 0.01f, 3e-9f}) {
    Weights weights(DType::float32, 600), wide(DType::float64, 600);
    for (std::int64_t i = 0; i < 600; ++i) {
      const float grid = reference::limit(delta, 1 + i / 3);
      const float value = i % 3 == 0 ? grid : std::nextafter(grid, i % 3 == 1 ? 0.0f : INFINITY);
      weights.set(i, i % 2 ? -double(value) : double(value));
      wide.set(i, i % 3 == 0 ? double(grid) : std::nextafter(double(grid), i % 3 == 1 ? 0.0 : double(INFINITY)));
    }
    for (const float threshold : shares) {
      check_against_reference(weights, threshold, delta);
      check_against_reference(wide, threshold, delta);
    }
  }
}

TEST_CASE("one weight in sixteen that differs from the rest misleads nobody") {
  // One weight of each 16 is small and all others are large, or the reverse, or it is NaN.
  constexpr std::int64_t size = (1 << 18) + 5;
  for (const DType dtype : {DType::bfloat16, DType::float64})
    for (const auto& [seen, unseen] : {std::pair{1 / 64.0, 1.5}, std::pair{1.5, 1 / 64.0}}) {
      Weights weights(dtype, size);
      for (std::int64_t i = 0; i < size; ++i) weights.set(i, unseen);
      for (std::int64_t s = 0; s < size / 16; ++s) weights.set(s * 16 + s * 37 % 16, seen);
      for (const float threshold : {1 / 16.0f, 0.5f}) check_against_reference(weights, threshold, 0.01f);
      for (std::int64_t s = 0; s < size / 16; ++s) weights.set_bits(s * 16 + s * 37 % 16, ~std::uint64_t(0));
      for (const float threshold : {0.01f, 1.0f}) check_against_reference(weights, threshold, 0.01f);
    }
}

TEST_CASE("Random draws what the definition draws, with and without an old mask in place") {
  for (const std::int64_t size : reference::sizes)
    for (const float threshold : shares)
      for (const bool with_old : {false, true}) {
        Weights weights(DType::float16, size);
        const Mask old = with_old ? reference::random_mask(size) : Mask({size});
        const Random rule{.threshold = threshold, .seed = 0x123456789abcdef0u, .tensor = 7, .rise = 9};
        std::vector<std::pair<std::uint32_t, std::int64_t>> candidates;
        for (std::int64_t i = 0; i < size; ++i)
          if (old.kept(i))
            candidates.emplace_back(semantics::philox(std::uint64_t(i) / 4, 7, 9, rule.seed).word[i % 4], i);
        std::ranges::sort(candidates);
        const std::int64_t missing = std::max<std::int64_t>(reference::need(size, threshold) - old.zeros(), 0);
        std::vector<bool> expected = reference::bits_of(old);
        for (std::int64_t c = 0; c < missing; ++c) expected[std::size_t(candidates[std::size_t(c)].second)] = false;

        Mask mask({size});
        const Result result = build(weights, mask, rule, with_old ? &old : nullptr);
        REQUIRE(reference::bits_of(mask) == expected);
        REQUIRE(result.zeros == mask.zeros());
        Mask same = old;
        build(weights, same, rule, &same);
        REQUIRE(reference::bits_of(same) == expected);
      }
}

TEST_CASE("the filler none keeps the old mask, and all where there is none") {
  Weights weights = reference::ties(DType::float32, 3001);
  const Mask old = reference::random_mask(3001);
  Mask mask = reference::random_mask(3001, 8);
  CHECK(build(weights, mask, None{}, &old).zeros == old.zeros());
  CHECK(reference::bits_of(mask) == reference::bits_of(old));
  CHECK(build(weights, mask, None{}).zeros == 0);
  CHECK(reference::tail_is_clear(mask));
}

TEST_CASE("any number of threads gives the same bits") {
  constexpr std::int64_t size = 300007;
  for (const Rule& rule : {magnitude(0.37f, 0.01f), Rule(Random{.threshold = 0.37f})}) {
    Weights weights = reference::ties(DType::float32, size);
    Mask first({size});
    const Result expected = build(weights, first, rule);
    for (const int threads : {2, 3, 7, 0}) {
      Mask mask({size});
      const Result result = build(weights, mask, rule, nullptr, {}, threads);
      CHECK(reference::bits_of(mask) == reference::bits_of(first));
      CHECK(result.level == expected.level);
      CHECK(result.zeros == expected.zeros);
    }
  }
}

TEST_CASE("applying is a select at any alignment, and touches nothing else") {
  for (const DType dtype : reference::dtypes)
    for (const std::int64_t size : reference::sizes)
      for (const std::size_t shift : {0, 1, 3}) {
        const Weights weights = reference::any_bits(dtype, size);
        const Mask mask = reference::random_mask(size);
        const std::size_t bytes = weights.bytes().size();
        std::vector<std::byte> memory(bytes + shift + 9, std::byte(0xa5));
        std::ranges::copy(weights.bytes(), memory.begin() + std::ptrdiff_t(shift));
        const ApplyJob job{.weights = {memory.data() + shift, size, dtype, {}, {}}, .mask = mask.view()};
        Result result;
        axis::apply_masks({}, {&job, 1}, {&result, 1});
        REQUIRE(result.zeros == mask.zeros());
        for (std::size_t b = 0; b < memory.size(); ++b) {
          const bool inside = b >= shift && b < shift + bytes;
          const auto index = inside ? std::int64_t((b - shift) / item_size(dtype)) : 0;
          const std::byte expected = !inside            ? std::byte(0xa5)
                                     : mask.kept(index) ? weights.bytes()[b - shift]
                                                        : std::byte(0);
          REQUIRE(memory[b] == expected);
        }
        const std::vector<std::byte> once = memory;
        axis::apply_masks({}, {&job, 1}, {&result, 1});
        REQUIRE_FALSE(result.changed);
        REQUIRE(memory == once);
      }
}

TEST_CASE("zeros of both signs are counted, denormals are none") {
  Weights weights(DType::float32, 4000);
  for (std::int64_t i = 0; i < 4000; ++i) weights.set_bits(i, i % 4 == 0 ? 0x80000000u : i % 4 == 1 ? 0u : 1u);
  const TensorView job = weights.view();
  Result result;
  axis::count_zeros({}, {&job, 1}, {&result, 1});
  CHECK(result.zeros == 2000);
}

TEST_CASE("flushed denormals change no mask") {
  constexpr std::int64_t size = 5000;
  Weights single(DType::float32, size), wide(DType::float64, size), half(DType::float16, size);
  std::mt19937_64 random(3);
  for (std::int64_t i = 0; i < size; ++i) {
    const auto bits = std::uint32_t(random() % 0x01000000u);  // half of them denormal
    single.set_bits(i, bits);
    wide.set(i, double(std::bit_cast<float>(bits)) * (random() % 2 ? 1 : 1 + 0x1p-40));
    half.set_bits(i, random() % 0x0800u);
  }
  for (const auto& [weights, delta] :
       {std::pair{&single, 0x1p-126f}, std::pair{&wide, 0x1p-126f}, std::pair{&half, 0x1p-24f}})
    for (const float threshold : {0.0f, 0.3f, 0.7f}) {
      const reference::Decision expected = reference::iter_nonstruct(*weights, threshold, delta);
      Mask mask({size});
      Result result, zeros;
      const bool flushed = reference::with_flushed_denormals([&, w = weights, d = delta] {
        result = build(*w, mask, magnitude(threshold, d));
        const TensorView job = w->view();
        axis::count_zeros({}, {&job, 1}, {&zeros, 1});
      });
      if (!flushed) return;
      CHECK(result.level == expected.level);
      CHECK(reference::bits_of(mask) == expected.kept);
      CHECK(zeros.zeros == reference::iter_nonstruct(*weights, 0, 1).zeros());
    }
}

TEST_CASE("one unreachable tensor of many leaves every byte as it was, and is named") {
  Weights good = reference::ties(DType::float32, 5000), bad(DType::float64, 10);
  const std::vector<std::byte> before = good.bytes();
  for (std::int64_t i = 0; i < 10; ++i) bad.set_bits(i, i < 3 ? 0x7ff8000000000000u : i < 7 ? 0x7ff0000000000000u : 0);
  Mask masks[] = {Mask({5000}), Mask({10})};
  const RebuildJob jobs[] = {
      {.weights = good.view(), .mask = masks[0].view(), .rule = magnitude(0.5f, 0.01f)},
      {.weights = bad.view(), .mask = masks[1].view(), .rule = magnitude(0.5f, 0.01f), .name = "conv1"}};
  Result results[2];
  CHECK_THROWS_WITH_AS(
      axis::rebuild_and_apply({}, jobs, results),
      "tensor 'conv1': threshold 0.5 asks for 5 of 10 weights, but only 3 lie within any multiple of delta "
      "0.01; out of reach are 3 NaN, 4 Inf in float32 and 0 finite weights",
      UnreachableThreshold);
  CHECK(good.bytes() == before);
  CHECK(masks[0].zeros() == 0);
}

std::string refusal(const Context& context, const RebuildJob& job) {
  Result result;
  try {
    axis::build_masks(context, {&job, 1}, {&result, 1});
  } catch (const InvalidArgument& error) {
    return error.what();
  } catch (const DeviceUnavailable&) {
    return "device unavailable";
  }
  return "";
}

TEST_CASE("wrong arguments are refused by name") {
  Weights weights = reference::ties(DType::float32, 10);
  Mask mask({10});
  const RebuildJob good{.weights = weights.view(), .mask = mask.view()};
  CHECK(refusal({}, good) == "");
  const auto with = [&](auto&& change) {
    RebuildJob job = good;
    change(job);
    return refusal({}, job);
  };
  CHECK(with([](RebuildJob& j) { j.mask.size = 9; }) == "tensor 0: mask.size: expected 10, got 9");
  CHECK(with([](RebuildJob& j) { j.mask.words = nullptr; }) ==
        "tensor 0: mask.words: expected memory, got a null pointer");
  CHECK(with([](RebuildJob& j) { j.weights.data = nullptr; }) ==
        "tensor 0: weights.data: expected memory, got a null pointer");
  CHECK(with([](RebuildJob& j) { j.weights.size = -1; }) == "tensor 0: weights.size: expected 0 or more, got -1");
  CHECK(with([](RebuildJob& j) { j.weights.layout = {3, 2}; }).starts_with("tensor 0: weights.layout: expected"));
  CHECK(with([](RebuildJob& j) { j.weights.layout = {0, 2}; }).starts_with("tensor 0: weights.layout: expected"));
  CHECK(with([](RebuildJob& j) {
          j.weights.device = {Device::Kind::cuda, 7};
        }).starts_with("tensor 0: weights: lies on another"));
  CHECK(with([](RebuildJob& j) { j.rule = Random{.threshold = 1.5f}; }) ==
        "tensor 0: threshold: expected a number from 0 to 1, got 1.5");
  CHECK(with([](RebuildJob& j) { j.rule = magnitude(NAN, 0.1f); }).starts_with("tensor 0: threshold:"));
  CHECK(with([](RebuildJob& j) { j.rule = magnitude(0.5f, 0); }).starts_with("tensor 0: delta:"));
  CHECK(with([&](RebuildJob& j) { j.old = {mask.view().words, 9}; }) == "tensor 0: old mask.size: expected 10, got 9");
  CHECK(with([](RebuildJob& j) {
          j.old = j.mask;
          j.mask_is_new = true;
        }) == "tensor 0: mask_is_new: expected false, or another mask than the old one and the fallback, got true");
  CHECK(refusal({.threads = -1}, good) == "context.threads: expected 0 or more, got -1");
  CHECK(refusal({.device = {Device::Kind::cuda, 0}}, good) ==
        (axis::on_cuda() ? "tensor 0: weights: lies on another device than the one of the context"
                         : "device unavailable"));
  Result two[2];
  CHECK_THROWS_AS(axis::build_masks({}, {&good, 1}, two), InvalidArgument);
  CHECK_THROWS_AS(need(-1, 0.5f), InvalidArgument);
  CHECK_THROWS_AS(need(10, -0.5f), InvalidArgument);
}

TEST_CASE("no jobs are no work") {
  axis::build_masks({}, {}, {});
  axis::rebuild_and_apply({}, {}, {});
  axis::apply_masks({}, {}, {});
  axis::count_zeros({}, {}, {});
}

TEST_CASE("seeds of names are the written hash") {
  CHECK(derive_seed(0xcbf29ce484222325u, "") == 0);
  CHECK(derive_seed(0xaf63dc4c8601ec8cu, "a") == 0);
  CHECK(derive_seed(1, "conv1") != derive_seed(1, "conv2"));
  CHECK(derive_seed(1, "conv1") != derive_seed(2, "conv1"));
}

// 9 GB of address space: run on request alone, PRUNECELL_TEST_HUGE=1. Memory never written costs none.
TEST_CASE("indices beyond 32 bits are exact") {
  if (!std::getenv("PRUNECELL_TEST_HUGE")) return;
  constexpr std::int64_t size = (std::int64_t(1) << 32) + 1000;
  const std::unique_ptr<void, decltype(&std::free)> memory(std::calloc(std::size_t(size), 2), std::free);
  REQUIRE(memory);
  auto* halves = static_cast<std::uint16_t*>(memory.get());
  const std::int64_t large[] = {5, (std::int64_t(1) << 32) - 1, std::int64_t(1) << 32, size - 1};
  for (const std::int64_t i : large) halves[i] = 0x3c00;
  Mask mask({size});
  const TensorView view{halves, size, DType::float16, {}, {}};
  const RebuildJob job{.weights = view, .mask = mask.view(), .rule = magnitude(0.9f, 0.001f)};
  Result result;
  axis::rebuild_and_apply({}, {&job, 1}, {&result, 1});
  CHECK(result.level == 1);
  CHECK(result.zeros == size - 4);
  CHECK(mask.zeros() == size - 4);
  for (const std::int64_t i : large) CHECK(mask.kept(i));
  CHECK_FALSE(mask.kept(size - 2));
}

}  // namespace
