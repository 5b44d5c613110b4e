#include "cuda/device/policy.hpp"
#include "device_weights.hpp"
#include "semantics/semantics.hpp"

#include <prunecell/error.hpp>
#include <prunecell/pending_results.hpp>

#include <simt/control.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace prunecell;
using axis::DeviceWeights;
using axis::first_device;
using axis::Stream;
using cuda::Policy;
using reference::Weights;

constexpr Rule magnitude = IterNonStruct{.threshold = 0.6f, .delta = 0.01f};

Weights nothing_but_nan(std::int64_t size) {
  Weights weights(DType::float32, size);
  for (std::int64_t i = 0; i < size; ++i) weights.set_bits(i, 0x7fc00000);
  return weights;
}

std::size_t waits() {
  return simt::calls("cudaStreamSynchronize") + simt::calls("cudaDeviceSynchronize") + simt::calls("cudaMemcpy") +
         simt::calls("cudaEventSynchronize");
}

TEST_CASE("a call with pending results does not wait, and wait tells what it came to") {
  const Weights before = reference::ties(DType::float32, 10007);
  const reference::Decision expected = reference::iter_nonstruct(before, 0.6f, 0.01f);
  DeviceWeights weights(before);
  const Mask mask({10007}, first_device);
  const Stream stream;
  PendingResults pending;
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude};
  const std::size_t waited = waits();
  rebuild_and_apply(stream.context(&pending), {&job, 1}, {});
  CHECK(waits() == waited);
  const std::vector<Result> results = pending.wait();
  REQUIRE(results.size() == 1);
  CHECK(results[0].level == expected.level);
  CHECK(results[0].zeros == expected.zeros());
  CHECK(results[0].need == reference::need(10007, 0.6f));
  CHECK(results[0].changed);
  CHECK(reference::bits_of(mask) == expected.kept);
}

TEST_CASE("on the CPU pending results are there at once") {
  Weights weights = reference::ties(DType::float32, 100);
  const Mask mask({100});
  PendingResults pending;
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude};
  build_masks({.pending = &pending}, {&job, 1}, {});
  CHECK(pending.wait().at(0).zeros == mask.zeros());
}

TEST_CASE("a captured call runs anew on the weights of each launch of its graph") {
  DeviceWeights weights(reference::ties(DType::float16, 9001, 1));
  const Mask mask({9001}, first_device);
  const Stream stream;
  PendingResults pending;
  pending.reserve(first_device, 1);
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude};
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
  rebuild_and_apply(stream.context(&pending), {&job, 1}, {});
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  REQUIRE(cudaGraphInstantiate(&executable, graph) == cudaSuccess);
  for (const std::uint32_t seed : {5u, 6u}) {
    const Weights values = reference::ties(DType::float16, 9001, seed);
    weights.overwrite(values);
    REQUIRE(cudaGraphLaunch(executable, stream) == cudaSuccess);
    const reference::Decision expected = reference::iter_nonstruct(values, 0.6f, 0.01f);
    CHECK(pending.wait().at(0).level == expected.level);
    CHECK(reference::bits_of(mask) == expected.kept);
  }
  CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("results cannot be had from a stream that is captured, and the capture survives the question") {
  DeviceWeights weights(reference::ties(DType::float32, 100));
  const Mask mask({100}, first_device);
  const Stream stream;
  PendingResults pending;
  pending.reserve(first_device, 1);
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude};
  Result result;
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
  CHECK_THROWS_AS(build_masks(stream.context(), {&job, 1}, {&result, 1}), WrongState);
  build_masks(stream.context(&pending), {&job, 1}, {});
  CHECK_THROWS_AS(pending.wait(), WrongState);
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("hundreds of tensors of mixed types and sizes, empty ones too, are one call with the CPU's answers") {
  std::vector<Weights> host;
  std::vector<DeviceWeights> device;
  std::vector<Mask> host_masks, device_masks;
  for (std::int64_t t = 0; t < 200; ++t) {
    const std::int64_t size = t % 7 == 0 ? 0 : (t * 977) % 9000;
    host.push_back(reference::ties(reference::dtypes[t % 4], size, std::uint32_t(t)));
    device.emplace_back(host.back());
    host_masks.emplace_back(Shape{size});
    device_masks.emplace_back(Shape{size}, first_device);
  }
  std::vector<RebuildJob> host_jobs, device_jobs;
  for (std::size_t t = 0; t < host.size(); ++t) {
    Rule rule = magnitude;
    if (t % 3 == 0) rule = Random{.threshold = 0.3f, .seed = t};
    if (t % 11 == 0) rule = None{};
    host_jobs.push_back({.weights = host[t].view(), .mask = host_masks[t].view(), .rule = rule});
    device_jobs.push_back({.weights = device[t].view(), .mask = device_masks[t].view(), .rule = rule});
  }
  std::vector<Result> host_results(host.size()), device_results(host.size());
  rebuild_and_apply({}, host_jobs, host_results);
  const std::size_t launched = simt::calls("cudaLaunchKernelEx");
  rebuild_and_apply({.device = first_device}, device_jobs, device_results);
  CHECK(simt::calls("cudaLaunchKernelEx") - launched < 30);
  for (std::size_t t = 0; t < host.size(); ++t) {
    CAPTURE(t);
    CHECK(host_results[t].zeros == device_results[t].zeros);
    CHECK(host_results[t].level == device_results[t].level);
    CHECK(host_results[t].limit == device_results[t].limit);
    CHECK(host_results[t].need == device_results[t].need);
    CHECK(host_results[t].changed == device_results[t].changed);
    CHECK(reference::bits_of(host_masks[t]) == reference::bits_of(device_masks[t]));
    CHECK(host[t].bytes() == device[t].read().bytes());
  }
}

TEST_CASE("an unreachable threshold writes nothing for any tensor of its call, and wait says why") {
  const Weights good = reference::ties(DType::float32, 5000), bad = nothing_but_nan(40);
  DeviceWeights weights[] = {DeviceWeights(good), DeviceWeights(bad)};
  const Mask masks[] = {Mask({5000}, first_device), Mask({40}, first_device)};
  const RebuildJob jobs[] = {
      {.weights = weights[0].view(), .mask = masks[0].view(), .rule = magnitude},
      {.weights = weights[1].view(), .mask = masks[1].view(), .rule = magnitude, .name = "conv2"}};
  PendingResults pending;
  rebuild_and_apply({.device = first_device, .pending = &pending}, jobs, {});
  CHECK_THROWS_WITH_AS(pending.wait(),
                       "tensor 'conv2': threshold 0.6 asks for 24 of 40 weights, but only 0 lie within any multiple of "
                       "delta 0.01; out of reach are 40 NaN, 0 Inf in float32 and 0 finite weights",
                       UnreachableThreshold);
  CHECK(masks[0].zeros() == 0);
  CHECK(weights[0].read().bytes() == good.bytes());
}

TEST_CASE("packing into values of another number writes nothing, and says so when it is asked") {
  DeviceWeights weights(reference::ties(DType::float32, 5000)), values(Weights(DType::float32, 17));
  const Mask mask = reference::random_mask(5000).to(first_device);
  const PackJob job{.dense = weights.view(), .values = values.view(), .mask = mask.view()};
  Result result;
  CHECK_THROWS_AS(pack_weights({.device = first_device}, {&job, 1}, {&result, 1}), InvalidArgument);
  CHECK(values.read().bytes() == Weights(DType::float32, 17).bytes());
}

TEST_CASE("Random elements that share the deciding key go in the order of their indices") {
  constexpr std::int64_t size = 400'000;
  std::vector<std::pair<std::uint32_t, std::int64_t>> order;
  for (std::int64_t i = 0; i < size; ++i)
    order.emplace_back(semantics::philox(std::uint64_t(i) / 4, 0, 0, 1).word[i % 4], i);
  std::ranges::sort(order);
  const auto twin = std::ranges::adjacent_find(order, [](const auto& a, const auto& b) { return a.first == b.first; });
  REQUIRE(twin != order.end());
  const std::int64_t need = twin - order.begin() + 1;  // the first of two equal numbers goes, the second stays
  DeviceWeights weights(Weights(DType::float16, size));
  const Mask mask({size}, first_device);
  const RebuildJob job{.weights = weights.view(),
                       .mask = mask.view(),
                       .rule = Random{.threshold = float(need) / float(size), .seed = 1}};
  Result result;
  build_masks({.device = first_device}, {&job, 1}, {&result, 1});
  REQUIRE(result.need == need);
  CHECK(result.zeros == need);
  CHECK_FALSE(mask.kept(twin[0].second));
  CHECK(mask.kept(twin[1].second));
}

TEST_CASE("a sample that sees other weights than the rest misleads nobody on a device either") {
  constexpr std::int64_t size = 4 * Policy::sample_weights + 3, stride = 4;
  for (const auto& [seen, unseen] : {std::pair{1 / 64.0, 1.5}, std::pair{1.5, 1 / 64.0}})
    for (const float threshold : {0.1f, 0.5f, 0.95f}) {
      Weights values(DType::float32, size);
      for (std::int64_t i = 0; i < size; ++i) values.set(i, unseen);
      for (std::int64_t s = 0; s < Policy::sample_weights; ++s) values.set(s * stride + s * 37 % stride, seen);
      const reference::Decision expected = reference::iter_nonstruct(values, threshold, 0.01f);
      DeviceWeights weights(values);
      const Mask mask({size}, first_device);
      const Rule rule = IterNonStruct{.threshold = threshold, .delta = 0.01f};
      const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = rule};
      Result result;
      build_masks({.device = first_device}, {&job, 1}, {&result, 1});
      CHECK(result.level == expected.level);
      CHECK(result.zeros == expected.zeros());
      CHECK(mask.zeros() == expected.zeros());
    }
}

TEST_CASE("weights that fill their memory to the last byte are read within it, at any alignment") {
  for (const DType dtype : reference::dtypes)
    for (std::int64_t offset = 0; offset < 17; ++offset) {
      const Weights values = reference::ties(dtype, 333);
      const auto bytes = std::int64_t(values.bytes().size());
      const cuda::DeviceMemory memory(0, std::size_t(offset + bytes));  // a sanitizer finds a read of one more byte
      auto* data = static_cast<std::byte*>(memory.data()) + offset;
      cuda::raise(cuda::plugin().copy(0, data, values.bytes().data(), values.bytes().size()));
      const Mask mask({333}, first_device);
      const RebuildJob job{.weights = {data, 333, dtype, {}, first_device}, .mask = mask.view(), .rule = magnitude};
      Result result;
      rebuild_and_apply({.device = first_device}, {&job, 1}, {&result, 1});
      CHECK(reference::bits_of(mask) == reference::iter_nonstruct(values, 0.6f, 0.01f).kept);
    }
}

TEST_CASE("work memory comes from the context's allocator and goes back to it") {
  struct Pool {
    int taken = 0, live = 0;
  } pool;
  const Allocator allocator{.allocate =
                                [](void* state, std::size_t bytes, void* stream) {
                                  ++static_cast<Pool*>(state)->taken;
                                  ++static_cast<Pool*>(state)->live;
                                  void* memory = nullptr;
                                  cudaMallocAsync(&memory, bytes, static_cast<cudaStream_t>(stream));
                                  return memory;
                                },
                            .release =
                                [](void* state, void* memory, void* stream) {
                                  --static_cast<Pool*>(state)->live;
                                  cudaFreeAsync(memory, static_cast<cudaStream_t>(stream));
                                },
                            .state = &pool};
  DeviceWeights weights(reference::ties(DType::float32, 100));
  const Mask mask({100}, first_device);
  const RebuildJob job{.weights = weights.view(), .mask = mask.view(), .rule = magnitude};
  build_masks({.device = first_device, .allocator = &allocator}, {&job, 1}, {});
  CHECK(pool.taken == 1);
  CHECK(pool.live == 0);
}

}  // namespace
