#include "cuda/host/runtime.hpp"

#include "api/check.hpp"

#include <algorithm>
#include <exception>
#include <string_view>

namespace prunecell::cuda {
namespace {

Status status(Status::Kind kind, std::string_view text) {
  Status out{.kind = kind};
  std::copy_n(text.data(), std::min(text.size(), sizeof out.text - 1), out.text);
  return out;
}

}  // namespace

void check(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // reported here: the next call is not to find it
  const std::string text = what + ": " + cudaGetErrorString(error) + " (CUDA error " + to_text(int(error)) + ")";
  switch (error) {
    case cudaErrorInsufficientDriver:  // also where there is no driver at all
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInitializationError: throw DeviceUnavailable(text);
    default: throw DeviceError(text);
  }
}

int device_count() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "CUDA");
  if (count == 0) throw DeviceUnavailable("CUDA: no device");
  return count;
}

DeviceScope::DeviceScope(int device) {
  const int count = device_count();
  if (device < 0 || device >= count)
    throw DeviceUnavailable("CUDA device " + to_text(device) + ": this machine has " + to_text(count) +
                            ", numbered from 0");
  check(cudaGetDevice(&before_), "cudaGetDevice");
  check(cudaSetDevice(device), "CUDA device " + to_text(device));
}

Scratch::Scratch(const Context& context, std::size_t bytes) : context_(context) {
  const std::string what = "work memory of " + to_text(bytes) + " bytes";
  if (!context.allocator) {
    check(cudaMallocAsync(&memory_, bytes, stream_of(context)), what);
    return;
  }
  memory_ = context.allocator->allocate(context.allocator->state, bytes, context.stream);
  if (!memory_) throw DeviceError(what + ": the allocator of the context has none");
}

Scratch::~Scratch() {
  if (context_.allocator)
    context_.allocator->release(context_.allocator->state, memory_, context_.stream);
  else
    cudaFreeAsync(memory_, stream_of(context_));
}

int device_of(const void* memory) {
  cudaPointerAttributes attributes = {};
  check(cudaPointerGetAttributes(&attributes, memory), "cudaPointerGetAttributes");
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged)
    refuse("array", "memory of a CUDA device", "memory of the host or freed memory");
  return attributes.device;
}

void check_memory(const std::string& what, const void* memory, int device) {
  cudaPointerAttributes attributes = {};
  check(cudaPointerGetAttributes(&attributes, memory), what);
  const std::string expected = "memory of CUDA device " + to_text(device);
  switch (attributes.type) {
    case cudaMemoryTypeManaged: return;
    case cudaMemoryTypeDevice:
      if (attributes.device != device) refuse(what, expected, "memory of CUDA device " + to_text(attributes.device));
      return;
    default: refuse(what, expected, "memory of the host or freed memory");
  }
}

void check_not_capturing(const std::string& what, cudaStream_t stream) {
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &capturing), "cudaStreamIsCapturing");
  if (capturing != cudaStreamCaptureStatusNone)
    throw WrongState(what +
                     ": waits for the stream, which is being captured into a graph; use PendingResults, or no results");
}

Status status_of_current_exception() {
  try {
    throw;
  } catch (const InvalidArgument& error) {
    return status(Status::Kind::invalid_argument, error.what());
  } catch (const WrongState& error) {
    return status(Status::Kind::wrong_state, error.what());
  } catch (const DeviceUnavailable& error) {
    return status(Status::Kind::unavailable, error.what());
  } catch (const std::exception& error) {
    return status(Status::Kind::failed, error.what());
  }
}

}  // namespace prunecell::cuda
