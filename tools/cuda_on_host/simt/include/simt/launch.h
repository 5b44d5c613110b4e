// Kernel launches. The arguments are copied when the launch is asked for, and again for each thread, as on a GPU.
#pragma once

#include <simt/runtime_types.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

namespace simt {

/// A kernel and its arguments, in two forms: for the threads of the shim, and for an executor of compiled code.
struct Call {
  const void* kernel = nullptr;
  std::function<void()> body;         ///< the work of one thread
  std::vector<std::byte> parameters;  ///< as compiled kernels find them: each at its alignment behind the one before
};

/// Checks the launch and puts it into the stream.
cudaError_t launch(const char* function, const cudaLaunchConfig_t& config, Call call);

cudaError_t function_attributes(cudaFuncAttributes* attributes);
cudaError_t occupancy(int* blocks, int block_size, std::size_t dynamic_shared);

template <class Value>
void append_parameter(std::vector<std::byte>& parameters, const Value& value) {
  const std::size_t at = (parameters.size() + alignof(Value) - 1) / alignof(Value) * alignof(Value);
  parameters.resize(at + sizeof value);
  std::memcpy(&parameters[at], &value, sizeof value);
}

template <class... Params>
Call call_of(void (*kernel)(Params...), std::tuple<Params...> values) {
  std::vector<std::byte> parameters;
  std::apply([&](const Params&... value) { (append_parameter(parameters, value), ...); }, values);
  return {reinterpret_cast<const void*>(kernel), [kernel, values = std::move(values)] { std::apply(kernel, values); },
          std::move(parameters)};
}

template <class... Params, std::size_t... I>
std::tuple<Params...> values_at(void** args, std::index_sequence<I...>) {
  return {*static_cast<Params*>(args[I])...};
}

}  // namespace simt

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  return simt::launch("cudaLaunchKernelEx", *config,
                      simt::call_of(kernel, std::tuple<Params...>(std::forward<Args>(args)...)));
}

template <class... Params>
cudaError_t cudaLaunchKernel(void (*kernel)(Params...), dim3 grid, dim3 block, void** args,
                             std::size_t dynamic_shared = 0, cudaStream_t stream = nullptr) {
  return simt::launch("cudaLaunchKernel", {grid, block, dynamic_shared, stream, nullptr, 0},
                      simt::call_of(kernel, simt::values_at<Params...>(args, std::index_sequence_for<Params...>())));
}

template <class... Params>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*)(Params...)) {
  return simt::function_attributes(attributes);
}

template <class... Params>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*)(Params...), int block_size,
                                                          std::size_t dynamic_shared) {
  return simt::occupancy(blocks, block_size, dynamic_shared);
}
