// Work of several threads. parallel_serial.hpp offers the same two names for builds without OpenMP.
#pragma once

#include "cpu/parallel/pool.hpp"

#include <exception>
#include <mutex>

namespace prunecell::cpu {

/// Threads worth using for `work` weights, at most `requested` (0: what OpenMP would use). One inside parallel() or an
/// OpenMP region, and in a forked child, which has none of its parent's threads.
int thread_count(int requested, std::int64_t work);

/// body(share) for each of `shares` shares, 0 as one. The caller takes shares until none is left, threads of the pool
/// those that they are in time for. What a body throws is thrown here, when all are done; of several the first.
template <class Body>
void parallel(int shares, Body&& body) {
  if (shares <= 1) return body(0);
  std::exception_ptr thrown;
  std::mutex throwing;
  const auto guarded = [&](int share) {
    try {
      body(share);
    } catch (...) {
      const std::lock_guard lock(throwing);
      if (!thrown) thrown = std::current_exception();
    }
  };
  run_shares(
      shares, [](void* work, int share) { (*static_cast<decltype(guarded)*>(work))(share); },
      const_cast<void*>(static_cast<const void*>(&guarded)));
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace prunecell::cpu
