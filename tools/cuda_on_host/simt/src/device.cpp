// Devices, errors, and the settings of tests.
#include "api.hpp"
#include "memory.hpp"

#include <simt/launch.h>
#include <simt/control.hpp>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace simt {
namespace {

struct Injected {
  std::string function;
  int calls_left;
  cudaError_t error;
};

std::map<std::string, std::size_t, std::less<>> counts;
std::vector<Injected> injected;
thread_local cudaError_t last_error = cudaSuccess;
thread_local int device = 0;

constexpr int max_threads = 1024;

Options from_environment() {
  const auto text = [](const char* name, const char* otherwise) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : otherwise;
  };
  Options out;
  const std::string order = text("SIMT_ORDER", "forward");
  out.order = order == "reverse" ? Order::reverse : order == "random" ? Order::random : Order::forward;
  out.seed = std::stoull(text("SIMT_SEED", "1"));
  out.execution = text("SIMT_EXECUTION", "eager") == "deferred" ? Execution::deferred : Execution::eager;
  out.devices = std::stoi(text("SIMT_DEVICES", "1"));
  return out;
}

cudaError_t check_device(int number) {
  return number >= 0 && number < options().devices ? cudaSuccess : cudaErrorInvalidDevice;
}

int attribute_of(cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX: return max_threads;
    case cudaDevAttrMaxGridDimX: return INT32_MAX;
    case cudaDevAttrMaxSharedMemoryPerBlock: return 48 * 1024;
    case cudaDevAttrWarpSize: return 32;
    case cudaDevAttrMultiProcessorCount: return options().multiprocessors;
    case cudaDevAttrL2CacheSize: return 4 << 20;
    case cudaDevAttrMaxThreadsPerMultiProcessor: return options().blocks_per_multiprocessor * max_threads;
    case cudaDevAttrComputeCapabilityMajor: return 8;
    case cudaDevAttrComputeCapabilityMinor: return 0;
    case cudaDevAttrMemoryPoolsSupported: return 1;
  }
  return 0;
}

}  // namespace

Options& options() {
  static Options in_force = from_environment();
  return in_force;
}

void inject(std::string_view function, int nth, cudaError_t error) {
  injected.push_back({std::string(function), nth, error});
}

std::size_t calls(std::string_view function) {
  const auto found = counts.find(function);
  return found == counts.end() ? 0 : found->second;
}

void reset() {
  options() = from_environment();
  injected.clear();
  counts.clear();
  last_error = cudaSuccess;
  device = 0;
}

std::recursive_mutex& api_lock() {
  static std::recursive_mutex lock;
  return lock;
}

cudaError_t begin_call(const char* function) {
  ++counts[function];
  for (Injected& each : injected)
    if (each.function == function && --each.calls_left == 0) return each.error;
  if (options().driver != cudaSuccess) return options().driver;
  return options().devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t end_call(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

int current_device() { return device; }

cudaError_t function_attributes(cudaFuncAttributes* attributes) {
  return call("cudaFuncGetAttributes", [&] {
    *attributes = {0, 0, 0, max_threads, 32, 80, 80};
    return cudaSuccess;
  });
}

cudaError_t occupancy(int* blocks, int block_size, std::size_t) {
  return call("cudaOccupancyMaxActiveBlocksPerMultiprocessor", [&] {
    if (block_size < 1 || block_size > max_threads) return cudaErrorInvalidValue;
    *blocks = options().blocks_per_multiprocessor;
    return cudaSuccess;
  });
}

}  // namespace simt

using namespace simt;

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define SIMT_ERROR(name, value, meaning) \
  case name:                             \
    return #name;
#include <simt/errors.inc>
#undef SIMT_ERROR
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define SIMT_ERROR(name, value, meaning) \
  case name:                             \
    return meaning;
#include <simt/errors.inc>
#undef SIMT_ERROR
  }
  return "unrecognized error code";
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = options().driver == cudaSuccess ? 13000 : 0;  // 0: no driver at all
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  return call(__func__, [&] {
    *count = options().devices;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* number) {
  return call(__func__, [&] {
    *number = device;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int number) {
  return call(__func__, [&] {
    const cudaError_t error = check_device(number);
    if (error == cudaSuccess) device = number;
    return error;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int number) {
  return call(__func__, [&] {
    *value = attribute_of(attribute);
    return check_device(number);
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
  return call(__func__, [&] {
    *properties = {};
    std::strcpy(properties->name, "SIMT shim");
    properties->totalGlobalMem = std::size_t(1) << 32;
    properties->sharedMemPerBlock = std::size_t(attribute_of(cudaDevAttrMaxSharedMemoryPerBlock));
    properties->warpSize = attribute_of(cudaDevAttrWarpSize);
    properties->maxThreadsPerBlock = attribute_of(cudaDevAttrMaxThreadsPerBlock);
    properties->major = attribute_of(cudaDevAttrComputeCapabilityMajor);
    properties->minor = attribute_of(cudaDevAttrComputeCapabilityMinor);
    properties->multiProcessorCount = attribute_of(cudaDevAttrMultiProcessorCount);
    properties->maxThreadsPerMultiProcessor = attribute_of(cudaDevAttrMaxThreadsPerMultiProcessor);
    properties->l2CacheSize = attribute_of(cudaDevAttrL2CacheSize);
    return check_device(number);
  });
}
