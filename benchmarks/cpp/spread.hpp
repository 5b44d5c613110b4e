// Equal runs of elements for every thread.
#pragma once

#include <cstdint>

namespace {

/// body(first, last) for one contiguous run of elements per thread.
template <class Body>
void spread(std::int64_t size, int threads, Body&& body) {
  if (threads <= 1) return body(std::int64_t(0), size);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int thread = 0; thread < threads; ++thread) body(size * thread / threads, size * (thread + 1) / threads);
}

}  // namespace
