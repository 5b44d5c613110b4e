// Stream capture: work that is written down instead of done.
#pragma once

#include "memory.hpp"
#include "stream.hpp"

#include <map>
#include <thread>

namespace simt {

/// Memory that a graph allocates and frees as it runs; it belongs to the holders of the recording.
struct GraphMemory {
  explicit GraphMemory(void* memory) : data(memory) {}
  ~GraphMemory() { deallocate(*allocation_at(data)); }
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

  void* data;
};

struct Recording {
  std::vector<std::function<void()>> work;  ///< in the order of the calls, which respects every dependency
  std::vector<std::unique_ptr<GraphMemory>> memory;
};

struct Capture {
  struct Member {
    std::uint64_t work = 0;
    bool joined = false;  ///< some other member waits for all of it
  };

  Capture(Stream* begun_in, cudaStreamCaptureMode begun_as)
      : origin(begun_in), mode(begun_as), members{{begun_in, {}}} {}

  Stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread = std::this_thread::get_id();
  bool lost = false;
  std::map<Stream*, Member> members;
  std::shared_ptr<Recording> recording = std::make_shared<Recording>();

  /// An error loses the whole capture; it ends only with cudaStreamEndCapture.
  cudaError_t lose(cudaError_t error) {
    lost = true;
    return error;
  }
};

/// The error of a call that waits for the device, which includes all captured streams.
cudaError_t refuse_device_wait();

/// The error of a call that the mode of a capture forbids: allocating, freeing, or waiting elsewhere.
cudaError_t refuse_unsafe();

/// The error of a call that must not happen to a captured stream.
cudaError_t refuse_in(Stream& stream, cudaError_t error);

/// The error of work in the legacy stream, which would wait for captured streams.
cudaError_t refuse_legacy(const Stream& legacy);

cudaError_t record_work(Stream& stream, std::function<void()> work);

/// A stream waits for an event, and one of them belongs to a capture.
cudaError_t wait_in_capture(Stream& stream, const CUevent_st& event);

}  // namespace simt
