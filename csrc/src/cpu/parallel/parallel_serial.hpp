// parallel.hpp for builds without OpenMP.
#pragma once

#include <cstdint>

namespace prunecell::cpu {

inline int thread_count(int, std::int64_t) { return 1; }

template <class Body>
void parallel(int, Body&& body) {
  body(0);
}

}  // namespace prunecell::cpu
