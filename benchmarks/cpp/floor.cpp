#include "floor.hpp"
#include "spread.hpp"
#include "widest.hpp"

#include <algorithm>
#include <cstring>

namespace {

// 64 bytes, whatever number of registers that takes.
typedef std::uint64_t Line __attribute__((vector_size(64), aligned(8), may_alias));

// Two runs of memory side by side, 2 KiB ahead of the loads, within blocks of 64 MiB: the fastest of 20 combinations
// tried, from 64 MiB to 1 GiB. Runs as far apart as a large power of two get into each other's way.
constexpr std::int64_t runs = 2, unroll = 4, ahead = 32, block = 1 << 20;

WIDEST std::uint64_t read_block(const Line* lines, std::int64_t count) {
  Line sums[runs][unroll] = {};
  const std::int64_t length = count / (runs * unroll) * unroll;
  for (std::int64_t i = 0; i < length; i += unroll)
#pragma GCC unroll 2
    for (std::int64_t run = 0; run < runs; ++run) {
      const Line* at = lines + run * length + i;
#pragma GCC unroll 4
      for (std::int64_t j = 0; j < unroll; ++j) {
        __builtin_prefetch(at + j + ahead);
        sums[run][j] ^= at[j];
      }
    }
  for (std::int64_t i = runs * length; i < count; ++i) sums[0][0] ^= lines[i];
  std::uint64_t all = 0;
  for (const auto& run : sums)
    for (const Line& sum : run)
      for (int j = 0; j < 8; ++j) all ^= sum[j];
  return all;
}

std::uint64_t read_lines(const Line* lines, std::int64_t count) {
  std::uint64_t all = 0;
  for (std::int64_t first = 0; first < count; first += block)
    all ^= read_block(lines + first, std::min(block, count - first));
  return all;
}

WIDEST void rewrite_lines(Line* lines, std::int64_t count, std::uint64_t flip) {
  for (std::int64_t i = 0; i < count; ++i) lines[i] ^= flip;
}

}  // namespace

std::uint64_t floor_read(const void* data, std::int64_t bytes, int threads) {
  const auto* lines = static_cast<const Line*>(data);
  const std::int64_t count = bytes / 64;
  std::uint64_t all = 0;
  spread(count, threads, [&](std::int64_t first, std::int64_t last) {
    const std::uint64_t one = read_lines(lines + first, last - first);
#pragma omp atomic
    all ^= one;
  });
  std::uint64_t rest[8] = {};
  std::memcpy(rest, lines + count, std::size_t(bytes % 64));
  for (const std::uint64_t one : rest) all ^= one;
  return all;
}

void floor_rewrite(void* data, std::int64_t bytes, std::uint64_t flip, int threads) {
  auto* lines = static_cast<Line*>(data);
  spread(bytes / 64, threads,
         [&](std::int64_t first, std::int64_t last) { rewrite_lines(lines + first, last - first, flip); });
}
