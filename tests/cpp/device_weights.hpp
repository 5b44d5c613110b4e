// Weights in device memory, beside the host's weights that they were copied from.
#pragma once

#include "axis.hpp"
#include "device_copy.hpp"
#include "reference.hpp"

#include <cuda_runtime.h>

#include <memory>
#include <utility>

namespace axis {

inline constexpr Device first_device = {Device::Kind::cuda, 0};

class DeviceWeights {
 public:
  explicit DeviceWeights(reference::Weights weights) : host_(std::make_unique<reference::Weights>(std::move(weights))) {
    const TensorView view = host_->view();
    copy_ = std::make_unique<DeviceCopy>(view.data, host_->bytes().size(), first_device.index);
  }

  TensorView view() {
    TensorView view = host_->view();
    view.data = copy_->data();
    view.device = first_device;
    return view;
  }
  /// As they are on the device now. Waits for it.
  const reference::Weights& read() {
    copy_->download();
    return *host_;
  }
  void write(const reference::Weights& values) {
    *host_ = values;
    const TensorView view = host_->view();
    copy_ = std::make_unique<DeviceCopy>(view.data, host_->bytes().size(), first_device.index);
  }
  /// Writes into the same memory, so that a graph finds it.
  void overwrite(const reference::Weights& values) {
    cuda::raise(cuda::plugin().copy(first_device.index, copy_->data(), values.bytes().data(), values.bytes().size()));
  }

 private:
  std::unique_ptr<reference::Weights> host_;
  std::unique_ptr<DeviceCopy> copy_;
};

/// A stream that does not wait for the default stream, nor the other way round.
class Stream {
 public:
  Stream() { REQUIRE(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) == cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  operator cudaStream_t() const { return stream_; }
  Context context(PendingResults* pending = nullptr) const {
    return {.device = first_device, .stream = stream_, .pending = pending};
  }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace axis
