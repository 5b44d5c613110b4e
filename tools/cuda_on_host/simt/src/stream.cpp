#include "stream.hpp"

#include "api.hpp"
#include "capture.hpp"
#include "memory.hpp"

#include <simt/control.hpp>

#include <map>

namespace simt {
namespace {

// Destroyed streams and events leave these lists; remaining references keep them alive.
std::map<cudaStream_t, std::shared_ptr<Stream>> streams;
std::map<cudaEvent_t, std::unique_ptr<CUevent_st>> events;

Stream& legacy_stream(int device) {
  static std::map<int, std::shared_ptr<Stream>> of_device;
  std::shared_ptr<Stream>& stream = of_device[device];
  if (!stream) {
    stream = std::make_shared<Stream>();
    stream->device = device;
    stream->legacy = true;
  }
  return *stream;
}

CUevent_st* event_of(cudaEvent_t handle) {
  const auto found = events.find(handle);
  return found == events.end() ? nullptr : found->second.get();
}

/// The legacy stream waits for all blocking streams of its device, and they for it.
std::vector<Point> implied_dependencies(const Stream& stream) {
  std::vector<Point> after;
  if (stream.legacy) {
    for (const auto& [handle, other] : streams)
      if (other->blocking && other->device == stream.device) after.push_back(other->now());
  } else if (stream.blocking) {
    after.push_back(legacy_stream(stream.device).now());
  }
  return after;
}

cudaError_t enqueue(Stream& stream, std::function<void()> work, std::vector<Point> after) {
  if (stream.legacy)
    if (const cudaError_t error = refuse_legacy(stream); error != cudaSuccess) return error;
  stream.push(std::move(work), std::move(after));
  if (options().execution == Execution::eager) stream.now().reach();
  return cudaSuccess;
}

}  // namespace

bool Point::reached() const { return !stream || stream->reached(ticket); }

void Point::reach() const {
  if (stream) stream->run_until(ticket);
}

Stream* stream_of(cudaStream_t handle) {
  if (!handle || handle == cudaStreamLegacy) return &legacy_stream(current_device());
  const auto found = streams.find(handle);
  return found == streams.end() ? nullptr : found->second.get();
}

cudaError_t submit(cudaStream_t handle, std::function<void()> work) {
  Stream* stream = stream_of(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (stream->capture) return record_work(*stream, std::move(work));
  return enqueue(*stream, std::move(work), implied_dependencies(*stream));
}

void run_current_device() {
  legacy_stream(current_device()).now().reach();
  for (const auto& [handle, stream] : streams)
    if (stream->device == current_device()) stream->now().reach();
}

}  // namespace simt

using namespace simt;

void CUstream_st::push(std::function<void()> work, std::vector<Point> after) {
  items_.push_back({std::move(work), std::move(after)});
  ++pushed_;
}

void CUstream_st::run_until(std::uint64_t ticket) {
  while (done_ < ticket) {
    const Item item = std::move(items_.front());
    items_.pop_front();
    for (const Point& point : item.after) point.reach();
    const DeviceAccess access;
    item.work();
    ++done_;
  }
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
  return call(__func__, [&] {
    if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    const auto stream = std::make_shared<Stream>();
    stream->device = current_device();
    stream->blocking = flags == cudaStreamDefault;
    *handle = stream.get();
    streams.emplace(*handle, stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* handle) { return cudaStreamCreateWithFlags(handle, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return call(__func__, [&] {
    const auto found = streams.find(handle);
    if (found == streams.end()) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = refuse_in(*handle, cudaErrorStreamCaptureUnsupported); error != cudaSuccess)
      return error;
    handle->now().reach();
    streams.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    cudaError_t error = refuse_in(*stream, cudaErrorStreamCaptureUnsupported);
    if (error == cudaSuccess && stream->legacy) error = refuse_legacy(*stream);
    if (error != cudaSuccess) return error;
    if (stream->legacy)
      for (const Point& point : implied_dependencies(*stream)) point.reach();
    stream->now().reach();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const cudaError_t error = refuse_in(*stream, cudaErrorStreamCaptureUnsupported);
    if (error != cudaSuccess) return error;
    return stream->now().reached() ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    const CUevent_st* event = event_of(event_handle);
    if (!stream || !event) return cudaErrorInvalidResourceHandle;
    if (stream->capture || event->capture) return wait_in_capture(*stream, *event);
    std::vector<Point> after = implied_dependencies(*stream);
    after.push_back(event->point);
    return enqueue(
        *stream, [] {}, std::move(after));
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
  return call(__func__, [&] {
    auto event = std::make_unique<CUevent_st>();
    event->device = current_device();
    *handle = event.get();
    events.emplace(*handle, std::move(event));
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* handle) { return cudaEventCreateWithFlags(handle, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return call(__func__, [&] { return events.erase(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle) {
  return call(__func__, [&] {
    Stream* stream = stream_of(stream_handle);
    CUevent_st* event = event_of(handle);
    if (!stream || !event || stream->device != event->device) return cudaErrorInvalidResourceHandle;
    event->capture = stream->capture;
    if (stream->capture) {
      event->point = {stream->shared_from_this(), stream->capture->members[stream].work};
      return cudaSuccess;
    }
    const cudaError_t error = submit(stream_handle, [] {});
    event->point = stream->now();
    return error;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return call(__func__, [&] {
    const CUevent_st* event = event_of(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture) return event->capture->lose(cudaErrorCapturedEvent);
    event->point.reach();
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return call(__func__, [&] {
    const CUevent_st* event = event_of(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture) return event->capture->lose(cudaErrorCapturedEvent);
    return event->point.reached() ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call(__func__, [] {
    if (const cudaError_t error = refuse_device_wait(); error != cudaSuccess) return error;
    run_current_device();
    return cudaSuccess;
  });
}
