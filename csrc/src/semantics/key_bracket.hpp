// Selecting the k-th smallest of many 32-bit keys by rounds of counting.
#pragma once

#include "semantics/host_device.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <numeric>
#include <optional>

namespace prunecell {

/// Keys that may decide, both ends included, cut into at most `buckets` ranges of 2^shift keys.
struct KeyBracket {
  static constexpr std::uint32_t buckets = 2048;
  static constexpr int bucket_bits = 11;

  std::uint32_t first = 0;
  std::uint32_t last = 0;

  PRUNECELL_HOST_DEVICE int shift() const {
    const int bits = std::bit_width(last - first);
    return bits > bucket_bits ? bits - bucket_bits : 0;
  }
  PRUNECELL_HOST_DEVICE KeyBracket bucket(std::uint32_t index) const {
    const std::uint32_t low = first + (index << shift());
    const std::uint32_t width_less_one = (std::uint32_t(1) << shift()) - 1;
    return {low, last - low < width_less_one ? last : low + width_less_one};
  }
};

struct KeyCounts {
  std::int64_t below = 0;  ///< keys < first
  std::array<std::int64_t, KeyBracket::buckets> bucket = {};

  std::int64_t total() const { return std::accumulate(bucket.begin(), bucket.end(), below); }
};

struct Narrowed {
  KeyBracket bracket;
  std::int64_t below;   ///< keys below the new bracket
  std::int64_t inside;  ///< keys in it
};

/// Finds the bucket from `begin` to `end`, with `below` keys before them, that holds the rank-th smallest key. False
/// where none of them does.
template <class Count>
PRUNECELL_HOST_DEVICE inline bool narrow_among(const KeyBracket& bracket, const Count* counts, std::uint32_t begin,
                                               std::uint32_t end, std::int64_t below, std::int64_t rank,
                                               Narrowed& found) {
  if (below >= rank) return false;
  for (std::uint32_t index = begin; index < end; ++index) {
    const auto count = std::int64_t(counts[index]);
    if (below + count >= rank) {
      found = {bracket.bucket(index), below, count};
      return true;
    }
    below += count;
  }
  return false;
}

/// The bucket that holds the rank-th smallest key, or nothing where that key lies outside the bracket.
inline std::optional<Narrowed> narrow(const KeyBracket& bracket, const KeyCounts& counts, std::int64_t rank) {
  const std::uint32_t used = (bracket.last - bracket.first) >> bracket.shift();
  Narrowed found;
  if (!narrow_among(bracket, counts.bucket.data(), 0, used + 1, counts.below, rank, found)) return std::nullopt;
  return found;
}

}  // namespace prunecell
