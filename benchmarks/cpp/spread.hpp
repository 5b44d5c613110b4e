// Equal runs of elements for every thread.
#pragma once

#include "cpu/parallel/parallel.hpp"

#include <cstdint>

namespace {

/// body(first, last) for one contiguous run of elements per thread. By a pool like that of the library: threads of an
/// OpenMP region spin for milliseconds after it, on cores that what is timed next needs.
template <class Body>
void spread(std::int64_t size, int threads, Body&& body) {
  prunecell::cpu::parallel(threads, [&](int thread) { body(size * thread / threads, size * (thread + 1) / threads); });
}

}  // namespace
