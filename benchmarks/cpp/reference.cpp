#include "floor.hpp"
#include "spread.hpp"
#include "widest.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace {

/// Prunes what the limit reaches, weight by weight.
std::int64_t pass(const float* weights, std::int64_t size, float limit, std::uint32_t* mask) {
  std::int64_t pruned = 0;
  for (std::int64_t i = 0; i < size; ++i)
    if (std::fabs(weights[i]) <= limit) {
      mask[i] = 0;
      ++pruned;
    }
  return pruned;
}

WIDEST std::int64_t vectorized_pass(const float* weights, std::int64_t size, float limit, std::uint32_t* mask) {
  std::int64_t kept = 0;
  for (std::int64_t first = 0; first < size; first += 1 << 20) {  // 32-bit counters cannot overflow
    const std::int64_t last = std::min<std::int64_t>(size, first + (1 << 20));
    std::uint32_t part = 0;
    for (std::int64_t i = first; i < last; ++i) {
      mask[i] = std::fabs(weights[i]) <= limit ? 0 : 1;
      part += mask[i];
    }
    kept += part;
  }
  return size - kept;
}

template <class Pass>
std::int64_t raise_until(const float* weights, std::int64_t size, float threshold, float delta, std::uint32_t* mask,
                         int threads, Pass&& one_pass) {
  std::fill(mask, mask + size, 1u);
  for (std::int64_t k = 1;; ++k) {
    std::atomic<std::int64_t> pruned = 0;
    spread(size, threads, [&](std::int64_t first, std::int64_t last) {
      pruned += one_pass(weights + first, last - first, delta * float(k), mask + first);
    });
    if (double(pruned) / double(size) >= double(threshold)) return k;
  }
}

}  // namespace

std::int64_t reference_iter_nonstruct(const float* weights, std::int64_t size, float threshold, float delta,
                                      std::uint32_t* mask, int threads) {
  return raise_until(weights, size, threshold, delta, mask, threads, pass);
}

std::int64_t reference_vectorized(const float* weights, std::int64_t size, float threshold, float delta,
                                  std::uint32_t* mask, int threads) {
  return raise_until(weights, size, threshold, delta, mask, threads, vectorized_pass);
}
