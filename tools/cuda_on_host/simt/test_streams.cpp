// Streams, events and graphs: when work is done, and which calls a capture refuses.
#include "device_array.hpp"

#include <doctest/doctest.h>
#include <simt/control.hpp>

namespace {

using namespace simt;

void add(unsigned* value, unsigned amount) { *value += amount; }
void scale(unsigned* value) { *value *= 10; }

template <class... Params, class... Args>
cudaError_t launch_in(cudaStream_t stream, void (*kernel)(Params...), Args... args) {
  const cudaLaunchConfig_t config{1, 1, 0, stream, nullptr, 0};
  return cudaLaunchKernelEx(&config, kernel, args...);
}

struct OwnStream {
  explicit OwnStream(unsigned flags = cudaStreamNonBlocking) { check(cudaStreamCreateWithFlags(&handle, flags)); }
  ~OwnStream() { cudaStreamDestroy(handle); }
  cudaStream_t handle = nullptr;
};

struct OwnEvent {
  OwnEvent() { check(cudaEventCreateWithFlags(&handle, cudaEventDisableTiming)); }
  ~OwnEvent() { cudaEventDestroy(handle); }
  cudaEvent_t handle = nullptr;
};

struct Deferred {
  Deferred() { options().execution = Execution::deferred; }
  ~Deferred() { reset(); }
};

/// A word of pinned memory, which the host may read at any time.
struct Word {
  Word() {
    check(cudaMallocHost(&data, sizeof(unsigned)));
    *data = 0;
  }
  ~Word() { cudaFreeHost(data); }
  unsigned* data = nullptr;
};

TEST_CASE("deferred work waits until somebody waits for its stream") {
  const Deferred deferred;
  Word word;
  OwnStream one, other;
  CHECK(launch_in(one.handle, add, word.data, 1u) == cudaSuccess);
  CHECK(cudaStreamQuery(one.handle) == cudaErrorNotReady);
  CHECK(cudaStreamSynchronize(other.handle) == cudaSuccess);
  CHECK(*word.data == 0);
  CHECK(cudaStreamSynchronize(one.handle) == cudaSuccess);
  CHECK(cudaStreamQuery(one.handle) == cudaSuccess);
  CHECK(*word.data == 1);
}

TEST_CASE("an event orders streams, and the legacy stream those that block") {
  const Deferred deferred;
  Word word;
  OwnStream one, other, blocking(cudaStreamDefault);
  OwnEvent event;
  launch_in(one.handle, add, word.data, 1u);
  CHECK(cudaEventRecord(event.handle, one.handle) == cudaSuccess);
  CHECK(cudaEventQuery(event.handle) == cudaErrorNotReady);
  CHECK(cudaStreamWaitEvent(other.handle, event.handle) == cudaSuccess);
  launch_in(other.handle, scale, word.data);
  CHECK(cudaStreamSynchronize(other.handle) == cudaSuccess);
  CHECK(*word.data == 10);
  launch_in(blocking.handle, add, word.data, 1u);
  launch_in(nullptr, scale, word.data);
  CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
  CHECK(*word.data == 110);
}

TEST_CASE("a pageable source is read at once, a pinned one when its turn comes") {
  const Deferred deferred;
  DeviceArray<unsigned> device(2);
  Word pinned;
  unsigned pageable = 1;
  *pinned.data = 1;
  check(cudaMemcpyAsync(device.data(), &pageable, sizeof(unsigned), cudaMemcpyHostToDevice));
  check(cudaMemcpyAsync(device.data() + 1, pinned.data, sizeof(unsigned), cudaMemcpyHostToDevice));
  pageable = *pinned.data = 2;
  CHECK(device.read() == std::vector<unsigned>{1, 2});
}

TEST_CASE("what a destination held is gone before the copy arrives") {
  const Deferred deferred;
  DeviceArray<unsigned> device(std::vector<unsigned>{5});
  Word pinned;
  check(cudaMemcpyAsync(pinned.data, device.data(), sizeof(unsigned), cudaMemcpyDeviceToHost));
  CHECK(*pinned.data == 0x01010101u * fresh_byte);
  check(cudaDeviceSynchronize());
  CHECK(*pinned.data == 5);
}

TEST_CASE("a stream of another device takes no launch") {
  options().devices = 2;
  OwnStream stream;
  Word word;
  check(cudaSetDevice(1));
  CHECK(launch_in(stream.handle, add, word.data, 1u) == cudaErrorInvalidResourceHandle);
  reset();
}

TEST_CASE("a captured graph repeats its work, with memory of its own") {
  OwnStream stream, side;
  OwnEvent fork, join;
  Word word, copied;
  unsigned* scratch = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStreamCaptureStatus status{};
  check(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal));
  check(cudaStreamIsCapturing(stream.handle, &status));
  CHECK(status == cudaStreamCaptureStatusActive);
  check(cudaMallocAsync(&scratch, sizeof(unsigned), stream.handle));
  check(cudaMemsetAsync(scratch, 0, sizeof(unsigned), stream.handle));
  check(launch_in(stream.handle, add, scratch, 3u));
  check(cudaEventRecord(fork.handle, stream.handle));
  check(cudaStreamWaitEvent(side.handle, fork.handle));
  check(launch_in(side.handle, add, word.data, 1u));
  check(cudaEventRecord(join.handle, side.handle));
  check(cudaStreamWaitEvent(stream.handle, join.handle));
  check(cudaMemcpyAsync(copied.data, scratch, sizeof(unsigned), cudaMemcpyDeviceToHost, stream.handle));
  check(cudaFreeAsync(scratch, stream.handle));
  check(cudaStreamEndCapture(stream.handle, &graph));
  CHECK(*word.data == 0);
  check(cudaGraphInstantiate(&executable, graph));
  check(cudaGraphDestroy(graph));
  for (int i = 0; i < 3; ++i) check(cudaGraphLaunch(executable, stream.handle));
  check(cudaStreamSynchronize(stream.handle));
  CHECK(*word.data == 3);
  CHECK(*copied.data == 3);  // cleared anew each time
  check(cudaGraphExecDestroy(executable));
}

/// The error of a call while a stream is captured, which must lose the capture.
template <class Call>
cudaError_t error_in_capture(cudaStream_t stream, Call call) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  const cudaError_t error = call();
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
  CHECK(graph == nullptr);
  cudaGetLastError();
  return error;
}

TEST_CASE("a capture refuses what waits, allocates at once or leaves it") {
  OwnStream stream(cudaStreamDefault), side;
  OwnEvent event;
  Word word;
  void* memory = nullptr;
  const auto error_of = [&](auto call) { return error_in_capture(stream.handle, call); };
  CHECK(error_of([&] { return cudaStreamSynchronize(stream.handle); }) == cudaErrorStreamCaptureUnsupported);
  CHECK(error_of([&] { return cudaStreamQuery(stream.handle); }) == cudaErrorStreamCaptureUnsupported);
  CHECK(error_of([&] { return cudaDeviceSynchronize(); }) == cudaErrorStreamCaptureUnsupported);
  CHECK(error_of([&] { return cudaMalloc(&memory, 4); }) == cudaErrorStreamCaptureUnsupported);
  CHECK(error_of([&] { return cudaFreeHost(word.data); }) == cudaErrorStreamCaptureUnsupported);
  CHECK(error_of([&] { return launch_in(nullptr, add, word.data, 1u); }) == cudaErrorStreamCaptureImplicit);
  CHECK(error_of([&] {
          check(cudaEventRecord(event.handle, stream.handle));
          return cudaEventSynchronize(event.handle);
        }) == cudaErrorCapturedEvent);
  check(cudaEventRecord(event.handle, side.handle));
  CHECK(error_of([&] { return cudaStreamWaitEvent(stream.handle, event.handle); }) == cudaErrorStreamCaptureIsolation);
  check(cudaStreamSynchronize(stream.handle));
  CHECK(*word.data == 0);
}

TEST_CASE("asking the legacy stream whether it captures leaves captures alone") {
  OwnStream stream(cudaStreamDefault);
  cudaGraph_t graph = nullptr;
  cudaStreamCaptureStatus status{};
  check(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal));
  CHECK(cudaStreamIsCapturing(nullptr, &status) == cudaErrorStreamCaptureImplicit);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("a stream forked from a capture must be joined") {
  OwnStream stream, side;
  OwnEvent fork;
  Word word;
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal));
  check(cudaEventRecord(fork.handle, stream.handle));
  check(cudaStreamWaitEvent(side.handle, fork.handle));
  check(launch_in(side.handle, add, word.data, 1u));
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureUnjoined);
  cudaGetLastError();
}

}  // namespace
