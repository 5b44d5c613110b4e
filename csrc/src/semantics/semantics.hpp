// Every formula of docs/semantics.md, once. Magnitudes are compared as keys: the bit pattern of |w| as
// float32, an unsigned integer that grows with |w|. Keys make every comparison exact and independent of the
// flush-to-zero state of the calling thread, which frameworks switch on. Functions are static: kernels.cpp is
// compiled for several instruction sets, and no copy of one may serve another. Those marked PRUNECELL_HOST_DEVICE run
// in CUDA kernels too.
#pragma once

#include "semantics/host_device.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

namespace prunecell::semantics {

inline constexpr std::uint32_t inf_key = 0x7f800000u;
inline constexpr std::int64_t max_level = INT64_MAX;

/// x rounded to float32; a float32 denormal comes through integers, whatever the hardware would make of it.
static inline float f32(double x) {
  const double magnitude = std::fabs(x);
  if (magnitude >= 0x1p-126 || std::isnan(x)) return float(x);
  const auto bits = std::uint32_t(std::nearbyint(magnitude * 0x1p149));
  return std::bit_cast<float>(bits | (std::signbit(x) ? 0x80000000u : 0u));
}

/// The float32 whose bits are `key`, as a double; without reading a denormal, which the hardware may take for 0.
PRUNECELL_HOST_DEVICE static inline double magnitude_of(std::uint32_t key) {
  return key < 0x00800000u ? double(key) * 0x1p-149 : double(std::bit_cast<float>(key));
}

/// f32(d * f32(k)) as a key. The double product of two float32 is exact, so that one rounding is left;
/// denormal operands and results go through integers, since the hardware may read or write them as 0.
PRUNECELL_HOST_DEVICE static inline std::uint32_t limit_key(float delta, std::int64_t k) {
  const double product = magnitude_of(std::bit_cast<std::uint32_t>(delta)) * double(float(k));
  if (product < 0x1p-126) return std::uint32_t(std::nearbyint(product * 0x1p149));
  return std::bit_cast<std::uint32_t>(float(product));
}

/// Smallest k >= 1 whose limit reaches `key`, which is at most limit_key(delta, max_level). Limits never fall with k,
/// but may repeat: a search that doubles its step from the quotient, which is a few levels off at most until float32
/// no longer holds k, and ends by bisection.
PRUNECELL_HOST_DEVICE static inline std::int64_t level_of(float delta, std::uint32_t key) {
  const auto reaches = [=](std::int64_t k) { return limit_key(delta, k) >= key; };
  const double quotient = magnitude_of(key) / magnitude_of(std::bit_cast<std::uint32_t>(delta));
  std::int64_t low = 0, high = quotient < 1 ? 1 : quotient < 0x1p62 ? std::int64_t(quotient) : max_level;
  for (std::int64_t step = 1; !reaches(high); step *= 2) {
    low = high;
    high = high < max_level - step ? high + step : max_level;
  }
  for (std::int64_t step = 1; high - low > step; step *= 2) {
    if (!reaches(high - step)) {
      low = high - step;
      break;
    }
    high -= step;
  }
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (reaches(middle) ? high : low) = middle;
  }
  return high;
}

/// Smallest c with f32(c) / f32(n) >= t; from n = 2^24 on, where float32 cannot hold n, in double.
static inline std::int64_t need(std::int64_t n, float t) {
  if (n == 0 || std::bit_cast<std::uint32_t>(t) << 1 == 0) return 0;
  const auto reaches = [=](std::int64_t c) {
    return n < (std::int64_t(1) << 24) ? float(c) / float(n) >= t : double(c) / double(n) >= double(t);
  };
  const double about = double(t) * double(n);  // at most a few steps off
  std::int64_t c = about < 0x1p63 ? std::int64_t(about) : n;
  if (c < 1) c = 1;
  if (c > n) c = n;
  while (c > 1 && reaches(c - 1)) --c;
  while (c < n && !reaches(c)) ++c;
  return c;
}

// Keys of the stored types. For float64 the key is that of the smallest float32 not below |w|, which
// compares with a float32 limit exactly as |w| does. NaN has keys above inf_key, in every type.

struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

PRUNECELL_HOST_DEVICE static inline std::uint32_t key(float w) { return std::bit_cast<std::uint32_t>(w) & 0x7fffffffu; }

PRUNECELL_HOST_DEVICE static inline std::uint32_t key(BFloat16 w) { return std::uint32_t(w.bits & 0x7fffu) << 16; }

PRUNECELL_HOST_DEVICE static inline std::uint32_t key(Float16 w) {
  const std::uint32_t magnitude = w.bits & 0x7fffu;
  const std::uint32_t rebias = magnitude < 0x7c00u ? 112u << 23 : 224u << 23;  // Inf and NaN to the top
  const float denormal = float(std::int32_t(magnitude)) * 0x1p-24f;
  return magnitude < 0x0400u ? std::bit_cast<std::uint32_t>(denormal) : (magnitude << 13) + rebias;
}

PRUNECELL_HOST_DEVICE static inline std::uint32_t key(double w) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(w) & ~(std::uint64_t(1) << 63);
  const double magnitude = std::bit_cast<double>(bits);
  const float nearest = float(magnitude);
  const std::uint32_t normal = std::bit_cast<std::uint32_t>(nearest) + (double(nearest) < magnitude);
  // Below 2^-126 keys count multiples of 2^-149, rounded up; a denormal double may read as 0 here.
  const double scaled = (magnitude < 0x1p-126 ? magnitude : 0.0) * 0x1p149;
  std::uint32_t small = std::uint32_t(std::int32_t(scaled));
  small += double(std::int32_t(small)) < scaled;
  small += (small == 0) & (bits != 0);
  return bits < (std::uint64_t(1023 - 126) << 52) ? small : normal;
}

/// The largest magnitude of a stored type, as its bits without the sign, whose key is at most `key` <= inf_key.
/// Comparing the bits of weights with it compares their keys with `key`.
template <class Weight>
static inline std::uint64_t largest_within(std::uint32_t key);

template <>
inline std::uint64_t largest_within<float>(std::uint32_t key) {
  return key;
}

template <>
inline std::uint64_t largest_within<BFloat16>(std::uint32_t key) {
  return key >> 16;
}

template <>
inline std::uint64_t largest_within<Float16>(std::uint32_t limit) {
  std::uint32_t low = 0, high = 0x7c00u;  // by bisection: keys grow with the bits
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (key(Float16{std::uint16_t(middle)}) <= limit)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

template <>
inline std::uint64_t largest_within<double>(std::uint32_t key) {
  return std::bit_cast<std::uint64_t>(magnitude_of(key));
}

/// Both halves of a product of two words.
template <class Word>
struct Product {
  Word high, low;
};
PRUNECELL_HOST_DEVICE static inline Product<std::uint32_t> product(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t wide = std::uint64_t(a) * b;
  return {std::uint32_t(wide >> 32), std::uint32_t(wide)};
}

/// Word i % 4 of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3)
/// for counter (low and high half of i / 4, tensor, rise): the Random filler's key of element i. A Word is 32 bits, or
/// several of them side by side, made from one and with product() and ^.
template <class Word>
struct PhiloxBlock {
  Word word[4];
};

template <class Word>
PRUNECELL_HOST_DEVICE static inline PhiloxBlock<Word> philox(Word block_low, Word block_high, std::uint32_t tensor,
                                                             std::uint32_t rise, std::uint64_t seed) {
  Word c0 = block_low, c1 = block_high, c2 = Word(tensor), c3 = Word(rise);
  std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product<Word> p0 = product(c0, Word(0xD2511F53u)), p1 = product(c2, Word(0xCD9E8D57u));
    c0 = p1.high ^ c1 ^ Word(k0);
    c1 = p1.low;
    c2 = p0.high ^ c3 ^ Word(k1);
    c3 = p0.low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}
PRUNECELL_HOST_DEVICE static inline PhiloxBlock<std::uint32_t> philox(std::uint64_t block, std::uint32_t tensor,
                                                                      std::uint32_t rise, std::uint64_t seed) {
  return philox(std::uint32_t(block), std::uint32_t(block >> 32), tensor, rise, seed);
}

}  // namespace prunecell::semantics
