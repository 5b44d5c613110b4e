// Streams and events: queues of work, and the parts of other queues that they wait for.
#pragma once

#include <simt/runtime_types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace simt {

using Stream = CUstream_st;
struct Capture;

/// Up to a place in a stream.
struct Point {
  std::shared_ptr<Stream> stream;
  std::uint64_t ticket = 0;

  bool reached() const;
  void reach() const;
};

}  // namespace simt

struct CUstream_st : std::enable_shared_from_this<CUstream_st> {
  int device = 0;
  bool legacy = false, blocking = true;
  std::shared_ptr<simt::Capture> capture;

  void push(std::function<void()> work, std::vector<simt::Point> after);
  void run_until(std::uint64_t ticket);
  bool reached(std::uint64_t ticket) const { return done_ >= ticket; }
  simt::Point now() { return {shared_from_this(), pushed_}; }

 private:
  struct Item {
    std::function<void()> work;
    std::vector<simt::Point> after;
  };

  std::deque<Item> items_;
  std::uint64_t pushed_ = 0, done_ = 0;
};

struct CUevent_st {
  int device = 0;
  simt::Point point;                       ///< no stream: never recorded, and so reached
  std::shared_ptr<simt::Capture> capture;  ///< recorded in this capture, if any
};

namespace simt {

/// The stream of a handle, the legacy stream of the current device for null; null where there is none such.
Stream* stream_of(cudaStream_t handle);

/// Appends work to the stream, or to the capture that it is part of.
cudaError_t submit(cudaStream_t handle, std::function<void()> work);

/// Waits for all work on the current device.
void run_current_device();

}  // namespace simt
