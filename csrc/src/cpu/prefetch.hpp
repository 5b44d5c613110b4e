// Fetching a stream ahead of its use.
#pragma once

namespace prunecell::cpu {
namespace {

/// Asks for the lines that a stream will reach 4 KiB later: hardware fetches less far ahead, and stops at each page, so
/// that comparisons would wait for memory.
inline void prefetch(const unsigned char* from, int bytes) {
  constexpr int ahead = 4096, line = 64;
  for (int at = 0; at < bytes; at += line) __builtin_prefetch(from + ahead + at);
}

}  // namespace
}  // namespace prunecell::cpu
