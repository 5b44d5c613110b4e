// Allocation, copies, and kernel launches: the functions that put work into streams.
#include "api.hpp"
#include "capture.hpp"
#include "launch.hpp"
#include "memory.hpp"
#include "stream.hpp"

#include <simt/launch.h>
#include <simt/control.hpp>

#include <cstring>

namespace simt {
namespace {

cudaError_t allocate_now(void** pointer, std::size_t size, cudaMemoryType type) {
  if (!pointer) return cudaErrorInvalidValue;
  if (const cudaError_t error = refuse_unsafe(); error != cudaSuccess) return error;
  *pointer = size ? allocate(size, type, current_device()) : nullptr;
  return size && !*pointer ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t free_now(void* pointer, cudaMemoryType type) {
  if (const cudaError_t error = refuse_unsafe(); error != cudaSuccess) return error;
  if (!pointer) return cudaSuccess;
  const Allocation* allocation = allocation_at(pointer);
  if (!allocation || allocation->type != type || allocation->of_graph || allocation->dying)
    return cudaErrorInvalidValue;
  run_current_device();
  deallocate(*allocation);
  return cudaSuccess;
}

bool on_device(const void* address) {
  const Allocation* allocation = allocation_around(address);
  return allocation && allocation->type == cudaMemoryTypeDevice;
}

bool within_allocation(const void* address, std::size_t size) {
  const Allocation* allocation = allocation_around(address);
  return !allocation || allocation->holds(address, size);
}

cudaError_t check_copy(const void* to, const void* from, std::size_t size, cudaMemcpyKind kind) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (to_device != on_device(to) || from_device != on_device(from)))
    return cudaErrorInvalidValue;
  return within_allocation(to, size) && within_allocation(from, size) ? cudaSuccess : cudaErrorInvalidValue;
}

/// Like the driver, reads pageable memory at once; pinned memory is read, and all memory written, when the stream comes
/// to it.
cudaError_t copy_in_stream(void* to, const void* from, std::size_t size, cudaStream_t handle) {
  const Stream* stream = stream_of(handle);
  const bool later = options().execution == Execution::deferred && stream && !stream->capture;
  if (later && !allocation_around(from)) {
    const auto* bytes = static_cast<const char*>(from);
    return submit(handle, [to, staged = std::vector<char>(bytes, bytes + size)] {
      std::memcpy(to, staged.data(), staged.size());
    });
  }
  if (later && !on_device(to)) std::memset(to, fresh_byte, size);
  return submit(handle, [to, from, size] { std::memmove(to, from, size); });
}

cudaError_t set_in_stream(void* to, int value, std::size_t size, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  if (!allocation_around(to) || !within_allocation(to, size)) return cudaErrorInvalidValue;
  return submit(stream, [to, value, size] { std::memset(to, value, size); });
}

cudaError_t check_launch(const cudaLaunchConfig_t& config) {
  const auto [grid, block] = std::pair(config.gridDim, config.blockDim);
  const bool some = grid.x && grid.y && grid.z && block.x && block.y && block.z;
  const bool few = grid.x <= INT32_MAX && grid.y <= 65535 && grid.z <= 65535 && block.x <= 1024 && block.y <= 1024 &&
                   block.z <= 64 && block.x * block.y * block.z <= 1024;
  if (!some || !few) return cudaErrorInvalidConfiguration;
  if (config.dynamicSmemBytes || config.numAttrs) return cudaErrorNotSupported;
  const Stream* stream = stream_of(config.stream);
  return stream && stream->device == current_device() ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

}  // namespace

cudaError_t launch(const char* function, const cudaLaunchConfig_t& config, Call made) {
  return call(function, [&] {
    if (const cudaError_t error = check_launch(config); error != cudaSuccess) return error;
    return submit(config.stream,
                  [launch = Launch{std::move(made), config.gridDim, config.blockDim}] { run_grid(launch); });
  });
}

}  // namespace simt

using namespace simt;

cudaError_t cudaMalloc(void** pointer, std::size_t size) {
  return call(__func__, [&] { return allocate_now(pointer, size, cudaMemoryTypeDevice); });
}

cudaError_t cudaFree(void* pointer) {
  return call(__func__, [&] { return free_now(pointer, cudaMemoryTypeDevice); });
}

cudaError_t cudaHostAlloc(void** pointer, std::size_t size, unsigned) {
  return call(__func__, [&] { return allocate_now(pointer, size, cudaMemoryTypeHost); });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t size) {
  return call(__func__, [&] { return allocate_now(pointer, size, cudaMemoryTypeHost); });
}

cudaError_t cudaFreeHost(void* pointer) {
  return call(__func__, [&] { return free_now(pointer, cudaMemoryTypeHost); });
}

cudaError_t cudaMallocAsync(void** pointer, std::size_t size, cudaStream_t handle) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!pointer || size == 0) return cudaErrorInvalidValue;
    if (!stream) return cudaErrorInvalidResourceHandle;
    const std::shared_ptr<Capture> capture = stream->capture;
    *pointer = allocate(size, cudaMemoryTypeDevice, stream->device, capture != nullptr);
    if (!*pointer) return cudaErrorMemoryAllocation;
    if (!capture) return cudaSuccess;
    capture->recording->memory.push_back(std::make_unique<GraphMemory>(*pointer));
    return record_work(*stream, [data = *pointer] { revive(*allocation_at(data)); });
  });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    Allocation* allocation = allocation_at(pointer);
    if (!allocation || allocation->dying || allocation->of_graph != (stream->capture != nullptr))
      return cudaErrorInvalidValue;
    allocation->dying = true;
    if (stream->capture) return record_work(*stream, [pointer] { bury(*allocation_at(pointer)); });
    return submit(handle, [pointer] { deallocate(*allocation_at(pointer)); });
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return call(__func__, [&] {
    constexpr int no_device = -2;
    *attributes = {cudaMemoryTypeUnregistered, no_device, nullptr, const_cast<void*>(pointer)};
    const Allocation* allocation = allocation_around(pointer);
    if (!allocation || !allocation->holds(pointer, 1)) return cudaSuccess;
    attributes->type = allocation->type;
    attributes->device = allocation->device;
    attributes->devicePointer = const_cast<void*>(pointer);
    if (allocation->type == cudaMemoryTypeDevice) attributes->hostPointer = nullptr;
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
  return call(__func__, [&] {
    if (size == 0) return cudaSuccess;
    const cudaError_t error = check_copy(to, from, size, kind);
    return error == cudaSuccess ? copy_in_stream(to, from, size, stream) : error;
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t size, cudaStream_t stream) {
  return call(__func__, [&] { return set_in_stream(to, value, size, stream); });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t size, cudaMemcpyKind kind) {
  return call(__func__, [&] {
    if (size == 0) return cudaSuccess;
    cudaError_t error = refuse_unsafe();
    if (error == cudaSuccess) error = check_copy(to, from, size, kind);
    if (error == cudaSuccess) error = copy_in_stream(to, from, size, cudaStreamLegacy);
    if (error == cudaSuccess) stream_of(cudaStreamLegacy)->now().reach();
    return error;
  });
}

cudaError_t cudaMemset(void* to, int value, std::size_t size) {
  return call(__func__, [&] {
    const cudaError_t error = refuse_unsafe();
    return error == cudaSuccess ? set_in_stream(to, value, size, cudaStreamLegacy) : error;
  });
}
