#include "capture.hpp"

#include "api.hpp"

#include <algorithm>

struct CUgraph_st {
  std::shared_ptr<simt::Recording> recording;
};

struct CUgraphExec_st {
  std::shared_ptr<simt::Recording> recording;
};

namespace simt {
namespace {

std::vector<std::shared_ptr<Capture>> active;
std::map<cudaGraph_t, std::unique_ptr<CUgraph_st>> graphs;
std::map<cudaGraphExec_t, std::unique_ptr<CUgraphExec_st>> executables;
thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

/// Whether this thread must not make unsafe calls while the capture lasts.
bool forbids_unsafe(const Capture& capture) {
  if (thread_mode == cudaStreamCaptureModeRelaxed || capture.mode == cudaStreamCaptureModeRelaxed) return false;
  if (capture.thread == std::this_thread::get_id()) return true;
  return thread_mode == cudaStreamCaptureModeGlobal && capture.mode == cudaStreamCaptureModeGlobal;
}

/// Whether work in the legacy stream would wait for a stream of the capture.
bool awaited_by(const Stream& legacy, const Capture& capture) {
  return std::any_of(capture.members.begin(), capture.members.end(), [&](const auto& member) {
    return member.first->blocking && member.first->device == legacy.device;
  });
}

template <class Concerned>
cudaError_t lose_where(Concerned concerned, cudaError_t error) {
  cudaError_t result = cudaSuccess;
  for (const auto& capture : active)
    if (concerned(*capture)) result = capture->lose(error);
  return result;
}

cudaError_t end_capture(Capture& capture, cudaGraph_t* handle) {
  const bool unjoined = std::any_of(capture.members.begin(), capture.members.end(), [&](const auto& member) {
    return member.first != capture.origin && !member.second.joined;
  });
  for (auto& [stream, member] : capture.members) stream->capture = nullptr;
  if (capture.lost) return cudaErrorStreamCaptureInvalidated;
  if (unjoined) return cudaErrorStreamCaptureUnjoined;
  auto graph = std::make_unique<CUgraph_st>(CUgraph_st{capture.recording});
  *handle = graph.get();
  graphs.emplace(*handle, std::move(graph));
  return cudaSuccess;
}

}  // namespace

cudaError_t refuse_device_wait() {
  return lose_where([](const Capture&) { return true; }, cudaErrorStreamCaptureUnsupported);
}

cudaError_t refuse_unsafe() { return lose_where(forbids_unsafe, cudaErrorStreamCaptureUnsupported); }

cudaError_t refuse_in(Stream& stream, cudaError_t error) {
  return stream.capture ? stream.capture->lose(error) : cudaSuccess;
}

cudaError_t refuse_legacy(const Stream& legacy) {
  return lose_where([&](const Capture& capture) { return awaited_by(legacy, capture); },
                    cudaErrorStreamCaptureImplicit);
}

cudaError_t record_work(Stream& stream, std::function<void()> work) {
  Capture& capture = *stream.capture;
  if (capture.lost) return cudaErrorStreamCaptureInvalidated;
  capture.recording->work.push_back(std::move(work));
  Capture::Member& member = capture.members[&stream];
  ++member.work;
  member.joined = false;
  return cudaSuccess;
}

cudaError_t wait_in_capture(Stream& stream, const CUevent_st& event) {
  if (!event.capture) return event.point.stream ? refuse_in(stream, cudaErrorStreamCaptureIsolation) : cudaSuccess;
  Capture& capture = *event.capture;
  Stream* recorded_in = event.point.stream.get();
  if (recorded_in->capture != event.capture) return cudaErrorCapturedEvent;  // that capture is over
  if (stream.legacy) return capture.lose(cudaErrorStreamCaptureImplicit);
  if (stream.capture && stream.capture != event.capture) {
    capture.lost = true;
    return stream.capture->lose(cudaErrorStreamCaptureMerge);
  }
  if (!stream.capture) {
    stream.capture = event.capture;
    capture.members[&stream] = {};
  }
  Capture::Member& awaited = capture.members[recorded_in];
  if (recorded_in != &stream && awaited.work == event.point.ticket) awaited.joined = true;
  return cudaSuccess;
}

}  // namespace simt

using namespace simt;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture) return cudaErrorIllegalState;
    stream->capture = std::make_shared<Capture>(stream, mode);
    active.push_back(stream->capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call(__func__, [&] {
    *graph = nullptr;
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return cudaErrorIllegalState;
    if (capture->origin != stream) return capture->lose(cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
      return cudaErrorStreamCaptureWrongThread;
    std::erase(active, capture);
    return end_capture(*capture, graph);
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call(__func__, [&] {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    *status = cudaStreamCaptureStatusNone;
    // The one call that reports this and leaves the capture alone.
    const auto awaited = [&](const auto& capture) { return stream->legacy && awaited_by(*stream, *capture); };
    if (std::any_of(active.begin(), active.end(), awaited)) return cudaErrorStreamCaptureImplicit;
    if (stream->capture)
      *status = stream->capture->lost ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return call(__func__, [&] {
    std::swap(*mode, thread_mode);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* handle, cudaGraph_t graph, unsigned long long) {
  return call(__func__, [&] {
    if (!graphs.contains(graph)) return cudaErrorInvalidValue;
    auto executable = std::make_unique<CUgraphExec_st>(CUgraphExec_st{graph->recording});
    *handle = executable.get();
    executables.emplace(*handle, std::move(executable));
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call(__func__, [&] {
    if (!executables.contains(executable)) return cudaErrorInvalidValue;
    return submit(stream, [recording = executable->recording] {
      for (const std::function<void()>& work : recording->work) work();
    });
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call(__func__, [&] { return graphs.erase(graph) ? cudaSuccess : cudaErrorInvalidValue; });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call(__func__, [&] { return executables.erase(executable) ? cudaSuccess : cudaErrorInvalidValue; });
}
