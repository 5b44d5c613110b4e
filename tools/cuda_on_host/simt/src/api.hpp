// The first and the last work of every function of the runtime.
#pragma once

#include <simt/runtime_api.h>

#include <mutex>

namespace simt {

/// Host threads call one after the other.
std::recursive_mutex& api_lock();

/// Counts the call, and fails it if a test said so or there is no device.
cudaError_t begin_call(const char* function);

/// Keeps an error for cudaGetLastError, and returns it.
cudaError_t end_call(cudaError_t error);

template <class Body>
cudaError_t call(const char* function, Body body) {
  const std::lock_guard lock(api_lock());
  const cudaError_t error = begin_call(function);
  return end_call(error == cudaSuccess ? body() : error);
}

/// The device of the calling thread.
int current_device();

}  // namespace simt
