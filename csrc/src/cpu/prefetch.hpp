// Fetching a stream ahead of its use.
#pragma once

namespace prunecell::cpu {
namespace {

/// Asks for the lines that a stream will reach 4 KiB later: hardware fetches less far ahead, and stops at each page, so
/// that comparisons would wait for memory.
inline constexpr int prefetched_ahead = 4096;

inline void prefetch(const unsigned char* from, int bytes) {
  constexpr int line = 64;
  for (int at = 0; at < bytes; at += line) __builtin_prefetch(from + prefetched_ahead + at);
}

/// The same of a stream that goes on at `next` when it comes to `end`.
inline void prefetch(const unsigned char* from, int bytes, const unsigned char* end, const unsigned char* next) {
  prefetch(end - from > prefetched_ahead ? from : next - (end - from), bytes);
}

}  // namespace
}  // namespace prunecell::cpu
