// Kernel launches. The arguments are copied when the launch is asked for, and again for each thread, as on a GPU.
#pragma once

#include <simt/runtime_types.h>

#include <functional>
#include <tuple>
#include <utility>

namespace simt {

/// Checks the launch and puts it into the stream; `body` is what one thread does.
cudaError_t launch(const char* function, const cudaLaunchConfig_t& config, const void* kernel,
                   std::function<void()> body);

cudaError_t function_attributes(cudaFuncAttributes* attributes);
cudaError_t occupancy(int* blocks, int block_size, std::size_t dynamic_shared);

template <class... Params, std::size_t... I>
std::function<void()> body_of(void (*kernel)(Params...), void** args, std::index_sequence<I...>) {
  return [kernel, values = std::tuple<Params...>(*static_cast<Params*>(args[I])...)] { std::apply(kernel, values); };
}

}  // namespace simt

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  std::tuple<Params...> values(std::forward<Args>(args)...);
  return simt::launch("cudaLaunchKernelEx", *config, reinterpret_cast<const void*>(kernel),
                      [kernel, values = std::move(values)] { std::apply(kernel, values); });
}

template <class... Params>
cudaError_t cudaLaunchKernel(void (*kernel)(Params...), dim3 grid, dim3 block, void** args,
                             std::size_t dynamic_shared = 0, cudaStream_t stream = nullptr) {
  return simt::launch("cudaLaunchKernel", {grid, block, dynamic_shared, stream, nullptr, 0},
                      reinterpret_cast<const void*>(kernel),
                      simt::body_of(kernel, args, std::index_sequence_for<Params...>()));
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
