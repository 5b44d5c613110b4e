// The host side of the runtime: devices, errors, memory.
#include "child.hpp"
#include "device_array.hpp"

#include <doctest/doctest.h>
#include <simt/control.hpp>

#include <string>

namespace {

using namespace simt;

TEST_CASE("without a device or a driver every call says so") {
  int count = 7;
  options().devices = 0;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
  CHECK(count == 0);
  void* memory = nullptr;
  CHECK(cudaMalloc(&memory, 8) == cudaErrorNoDevice);
  options().driver = cudaErrorInsufficientDriver;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
  CHECK(int(cudaErrorInsufficientDriver) == 35);
  reset();
}

TEST_CASE("the last error is kept until it is asked for") {
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  CHECK(cudaPeekAtLastError() == cudaErrorInvalidDevice);
  CHECK(cudaGetLastError() == cudaErrorInvalidDevice);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(std::string(cudaGetErrorName(cudaErrorNoDevice)) == "cudaErrorNoDevice");
  CHECK(std::string(cudaGetErrorString(cudaSuccess)) == "no error");
}

TEST_CASE("a chosen call fails once, and calls are counted") {
  reset();
  inject("cudaMalloc", 2, cudaErrorMemoryAllocation);
  unsigned *first = nullptr, *second = nullptr;
  CHECK(cudaMalloc(&first, 4) == cudaSuccess);
  CHECK(cudaMalloc(&second, 4) == cudaErrorMemoryAllocation);
  CHECK(cudaMalloc(&second, 4) == cudaSuccess);
  CHECK(calls("cudaMalloc") == 3);
  CHECK(live_allocations() == 2);
  CHECK(cudaFree(first) == cudaSuccess);
  CHECK(cudaFree(second) == cudaSuccess);
  CHECK(cudaFree(second) == cudaErrorInvalidValue);
  CHECK(cudaFree(nullptr) == cudaSuccess);
  CHECK(live_allocations() == 0);
  reset();
}

TEST_CASE("pointers tell where they point") {
  options().devices = 2;
  REQUIRE(cudaSetDevice(1) == cudaSuccess);
  DeviceArray<int> on_device(4);
  int* pinned = nullptr;
  int plain = 0;
  REQUIRE(cudaMallocHost(&pinned, sizeof(int)) == cudaSuccess);
  cudaPointerAttributes attributes{};
  CHECK(cudaPointerGetAttributes(&attributes, on_device.data() + 3) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeDevice);
  CHECK(attributes.device == 1);
  CHECK(cudaPointerGetAttributes(&attributes, on_device.data() + 4) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaPointerGetAttributes(&attributes, pinned) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeHost);
  CHECK(cudaPointerGetAttributes(&attributes, &plain) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaFree(pinned) == cudaErrorInvalidValue);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
  reset();
}

TEST_CASE("device memory starts fresh, aligned to 256 or missing that as asked") {
  for (const std::size_t misalignment : {0, 4, 12}) {
    options().misalignment = misalignment;
    DeviceArray<unsigned char> memory(100);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 256 == misalignment);
    CHECK(memory.read() == std::vector<unsigned char>(100, fresh_byte));
  }
  reset();
}

TEST_CASE("a copy in the wrong direction or beyond the allocation is refused") {
  DeviceArray<char> device(8);
  char host[16] = {};
  CHECK(cudaMemcpy(device.data(), host, 8, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(device.data(), host, 9, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(device.data(), host, 8, cudaMemcpyKind(7)) == cudaErrorInvalidMemcpyDirection);
  CHECK(cudaMemcpy(device.data(), host, 8, cudaMemcpyDefault) == cudaSuccess);
  CHECK(cudaMemset(device.data() + 4, 1, 5) == cudaErrorInvalidValue);
  cudaGetLastError();
}

void nothing() {}

TEST_CASE("a launch that a device could not run is refused") {
  const auto error_of = [](dim3 grid, dim3 block, std::size_t dynamic_shared = 0) {
    const cudaLaunchConfig_t config{grid, block, dynamic_shared, nullptr, nullptr, 0};
    return cudaLaunchKernelEx(&config, nothing);
  };
  CHECK(error_of(1, 1024) == cudaSuccess);
  CHECK(error_of(0, 1) == cudaErrorInvalidConfiguration);
  CHECK(error_of(1, 1025) == cudaErrorInvalidConfiguration);
  CHECK(error_of(dim3(1, 65536), 1) == cudaErrorInvalidConfiguration);
  CHECK(error_of(1, 1, 16) == cudaErrorNotSupported);
  inject("cudaLaunchKernelEx", 1, cudaErrorLaunchOutOfResources);
  CHECK(error_of(1, 1) == cudaErrorLaunchOutOfResources);
  CHECK(cudaLaunchKernel(nothing, 1, 1, nullptr) == cudaSuccess);
  reset();
}

void give_up(int code) {
  if (code == 5 && threadIdx.x == 33) __trap();
}

TEST_CASE("a fault names kernel, block, thread and place") {
  const Outcome outcome = run_in_child([] {
    launch(give_up, 1, 64, 5);
    return true;
  });
  CHECK_FALSE(outcome.survived);
  CHECK(outcome.errors.find("trap in kernel (anonymous namespace)::give_up(int), block (0,0,0), thread (33,0,0)") !=
        std::string::npos);
  CHECK(outcome.errors.find("test_runtime.cpp:") != std::string::npos);
}

}  // namespace
