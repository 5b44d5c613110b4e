#include "device_weights.hpp"

#include <prunecell/cuda.hpp>
#include <prunecell/error.hpp>

#include <simt/control.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace prunecell;
using axis::DeviceWeights;
using axis::first_device;
using reference::Weights;

constexpr Rule magnitude = IterNonStruct{.threshold = 0.6f, .delta = 0.01f};

struct Fixture {
  Weights before = reference::ties(DType::float32, 5000);
  DeviceWeights weights{before};
  Mask mask{Shape{5000}, first_device};
  Result result;
  ~Fixture() { simt::reset(); }

  RebuildJob job() { return {.weights = weights.view(), .mask = mask.view(), .rule = magnitude}; }
  std::string error(const RebuildJob& job, Context context = {.device = first_device}) {
    try {
      rebuild_and_apply(context, {&job, 1}, {&result, 1});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_CASE_FIXTURE(Fixture, "without a driver or a device everything is answered or refused, with the reason") {
  for (const cudaError_t cause : {cudaErrorInsufficientDriver, cudaErrorNoDevice}) {
    simt::options().driver = cause;
    CHECK_FALSE(cuda::is_available());
    CHECK(cuda::device_count() == 0);
    CHECK(cuda::unavailable_reason().starts_with("CUDA: "));
    const RebuildJob refused = job();
    CHECK_THROWS_AS(rebuild_and_apply({.device = first_device}, {&refused, 1}, {&result, 1}), DeviceUnavailable);
    CHECK_THROWS_AS(Mask({5}, first_device), DeviceUnavailable);
    simt::options().driver = cudaSuccess;
  }
  CHECK(cuda::is_available());
  CHECK(cuda::unavailable_reason() == "");
}

TEST_CASE_FIXTURE(Fixture, "a device that is not there is named") {
  simt::options().devices = 2;
  CHECK(cuda::device_count() == 2);
  RebuildJob there = job();
  for (Device* device : {&there.weights.device, &there.mask.device}) *device = {Device::Kind::cuda, 2};
  const Context context{.device = {Device::Kind::cuda, 2}};
  CHECK(error(there, context) == "CUDA device 2: this machine has 2, numbered from 0");
}

TEST_CASE_FIXTURE(Fixture, "memory of the host, of another device or freed is refused by name") {
  simt::options().devices = 2;
  RebuildJob job = this->job();
  job.name = "conv1";
  Weights on_host = before;
  job.weights.data = on_host.view().data;
  CHECK(error(job) ==
        "tensor 'conv1': weights: expected memory of CUDA device 0, got memory of the host or freed memory");
  {
    const cuda::DeviceMemory other(1, 20'000);
    job.weights.data = other.data();
    CHECK(error(job) == "tensor 'conv1': weights: expected memory of CUDA device 0, got memory of CUDA device 1");
  }
  CHECK(error(job).ends_with("got memory of the host or freed memory"));
  job.weights = weights.view();
  Mask host_mask({5000});
  job.mask.words = host_mask.view().words;
  CHECK(error(job).starts_with("tensor 'conv1': mask: expected memory of CUDA device 0"));
  job.mask = host_mask.view();
  CHECK(error(job) == "tensor 'conv1': mask: lies on another device than the one of the context");
}

TEST_CASE_FIXTURE(Fixture, "a call of the runtime that fails is an error, changes nothing and leaks nothing") {
  const RebuildJob job = this->job();
  for (const char* function : {"cudaMallocAsync", "cudaMemsetAsync", "cudaPointerGetAttributes", "cudaSetDevice",
                               "cudaGetDevice", "cudaDeviceGetAttribute", "cudaStreamIsCapturing"}) {
    CAPTURE(function);
    const std::size_t live = simt::live_allocations();
    simt::inject(function, 1, cudaErrorMemoryAllocation);
    CHECK_THROWS_AS(rebuild_and_apply({.device = first_device}, {&job, 1}, {&result, 1}), DeviceError);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);  // memory goes back in the order of the stream
    CHECK(simt::live_allocations() == live);
    CHECK(weights.read().bytes() == before.bytes());
    CHECK(mask.zeros() == 0);
  }
  CHECK(error(job) == "");
}

TEST_CASE_FIXTURE(Fixture, "any launch that fails is an error and leaks nothing") {
  const RebuildJob job = this->job();
  const std::size_t before_call = simt::calls("cudaLaunchKernelEx");
  CHECK(error(job) == "");
  const std::size_t launches = simt::calls("cudaLaunchKernelEx") - before_call;
  REQUIRE(launches > 5);
  for (std::size_t nth = 1; nth <= launches; ++nth) {
    CAPTURE(nth);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    const std::size_t live = simt::live_allocations();
    simt::inject("cudaLaunchKernelEx", int(nth), cudaErrorLaunchFailure);
    CHECK_THROWS_AS(rebuild_and_apply({.device = first_device}, {&job, 1}, {&result, 1}), DeviceError);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);  // memory goes back in the order of the stream
    CHECK(simt::live_allocations() == live);
  }
}

TEST_CASE_FIXTURE(Fixture, "the caller's current device stays current") {
  simt::options().devices = 2;
  REQUIRE(cudaSetDevice(1) == cudaSuccess);
  CHECK(error(job()) == "");
  int current = 0;
  REQUIRE(cudaGetDevice(&current) == cudaSuccess);
  CHECK(current == 1);
}

TEST_CASE("another plugin is refused while one is in use") {
  CHECK_THROWS_AS(cuda::load_plugin("/nowhere/libprunecell_cuda.so"), WrongState);
}

}  // namespace
