#include "floor.hpp"
#include "spread.hpp"
#include "widest.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace {

// 64 bytes, whatever number of registers that takes.
typedef std::uint64_t Line __attribute__((vector_size(64), aligned(8), may_alias));

// By turns from four runs of memory, 2 KiB from each, within blocks of 64 MiB: the fastest of all ways tried, from
// 32 MiB to 1 GiB; none of those that fetched ahead by software was. Runs as far apart as a large power of two get into
// each other's way.
constexpr std::int64_t runs = 4, chunk = 32, unroll = 4, block = 1 << 20;

WIDEST std::uint64_t read_block(const Line* lines, std::int64_t count) {
  Line sums[unroll] = {};
  const std::int64_t length = count / (runs * chunk) * chunk;
  for (std::int64_t at = 0; at < length; at += chunk)
    for (std::int64_t run = 0; run < runs; ++run) {
      const Line* from = lines + run * length + at;
#pragma GCC unroll 1  // unrolled, it would not read line after line, which hardware expects
      for (std::int64_t i = 0; i < chunk; i += unroll)
#pragma GCC unroll 4
        for (std::int64_t j = 0; j < unroll; ++j) sums[j] ^= from[i + j];
    }
  for (std::int64_t i = runs * length; i < count; ++i) sums[0] ^= lines[i];
  std::uint64_t all = 0;
  for (const Line& sum : sums)
    for (int j = 0; j < 8; ++j) all ^= sum[j];
  return all;
}

WIDEST void rewrite_block(Line* lines, std::int64_t count, std::uint64_t flip) {
  const std::int64_t length = count / (runs * chunk) * chunk;
  for (std::int64_t at = 0; at < length; at += chunk)
    for (std::int64_t run = 0; run < runs; ++run) {
      Line* from = lines + run * length + at;
#pragma GCC unroll 1
      for (std::int64_t i = 0; i < chunk; ++i) from[i] ^= flip;
    }
  for (std::int64_t i = runs * length; i < count; ++i) lines[i] ^= flip;
}

/// body(lines, count) for blocks of one thread's lines.
template <class Lines, class Body>
void in_blocks(Lines* lines, std::int64_t count, Body&& body) {
  for (std::int64_t first = 0; first < count; first += block) body(lines + first, std::min(block, count - first));
}

}  // namespace

std::uint64_t floor_read(const void* data, std::int64_t bytes, int threads) {
  const auto* lines = static_cast<const Line*>(data);
  const std::int64_t count = bytes / 64;
  std::atomic<std::uint64_t> all = 0;
  spread(count, threads, [&](std::int64_t first, std::int64_t last) {
    std::uint64_t one = 0;
    in_blocks(lines + first, last - first, [&](const Line* at, std::int64_t n) { one ^= read_block(at, n); });
    all ^= one;
  });
  std::uint64_t rest[8] = {};
  std::memcpy(rest, lines + count, std::size_t(bytes % 64));
  for (const std::uint64_t one : rest) all ^= one;
  return all;
}

void floor_rewrite(void* data, std::int64_t bytes, std::uint64_t flip, int threads) {
  auto* lines = static_cast<Line*>(data);
  spread(bytes / 64, threads, [&](std::int64_t first, std::int64_t last) {
    in_blocks(lines + first, last - first, [=](Line* at, std::int64_t n) { rewrite_block(at, n, flip); });
  });
}
