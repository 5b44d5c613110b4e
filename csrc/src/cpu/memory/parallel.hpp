// The only header that knows about OpenMP. parallel_serial.hpp offers the same two names without it.
#pragma once

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace prunecell::cpu {

namespace detail {
inline std::atomic<bool> forked{false};
/// When the library is loaded, not when it is first used: who forks may have used OpenMP without it.
inline const int fork_watched = pthread_atfork(nullptr, nullptr, [] { forked = true; });
}  // namespace detail

/// Threads worth using for `work` weights, at most `requested` (0: what OpenMP would use). One inside an
/// OpenMP region, and in a forked child: the parent's pool does not exist there and waiting for it hangs.
inline int thread_count(int requested, std::int64_t work) {
  constexpr std::int64_t weights_per_thread = 1 << 17;  // less takes no longer than waking a thread for it
  if (detail::fork_watched != 0 || detail::forked || omp_in_parallel()) return 1;
  const std::int64_t wanted = requested > 0 ? requested : omp_get_max_threads();
  return int(std::clamp<std::int64_t>(work / weights_per_thread, 1, wanted));
}

/// body(thread) for each of `threads` threads, 0 as one, all at once. What a body throws is thrown here, when all are
/// done; of several the first.
template <class Body>
void parallel(int threads, Body&& body) {
  if (threads <= 1) return body(0);
  std::exception_ptr thrown;
  std::mutex throwing;
#pragma omp parallel num_threads(threads)
  {
    // The runtime may grant fewer threads than asked for.
    for (int thread = omp_get_thread_num(); thread < threads; thread += omp_get_num_threads()) {
      try {
        body(thread);
      } catch (...) {
        const std::lock_guard lock(throwing);
        if (!thrown) thrown = std::current_exception();
      }
    }
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace prunecell::cpu
