// The definitions of docs/semantics.md, the slow way: selecting among doubles, counting bit by bit. For tests; shares
// no code with the library but its public types.
#pragma once

#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <thread>
#include <vector>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace reference {

using namespace prunecell;

inline constexpr DType dtypes[] = {DType::float16, DType::bfloat16, DType::float32, DType::float64};
inline constexpr std::int64_t sizes[] = {0, 1, 31, 32, 33, 63, 64, 65, 4095, 4096, 4097, 10007};

/// Value of a half: 5 bits of exponent, 10 of fraction.
inline double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31)
    value = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  return bits >> 15 ? -value : value;
}

/// Weights in memory of exactly their size, so that a sanitizer sees one byte too many.
class Weights {
 public:
  Weights(DType dtype, std::int64_t size) : dtype_(dtype), bytes_(std::size_t(size) * item_size(dtype)), size_(size) {}

  TensorView view(Layout layout = {}) { return {bytes_.data(), size_, dtype_, layout, {}}; }
  std::int64_t size() const { return size_; }
  DType dtype() const { return dtype_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

  std::uint64_t bits(std::int64_t i) const {
    std::uint64_t out = 0;
    std::memcpy(&out, bytes_.data() + std::size_t(i) * item_size(dtype_), item_size(dtype_));
    return out;
  }
  void set_bits(std::int64_t i, std::uint64_t value) {
    std::memcpy(bytes_.data() + std::size_t(i) * item_size(dtype_), &value, item_size(dtype_));
  }

  double value(std::int64_t i) const {
    switch (dtype_) {
      case DType::float16: return half_value(std::uint16_t(bits(i)));
      case DType::bfloat16: return double(std::bit_cast<float>(std::uint32_t(bits(i)) << 16));
      case DType::float32: return double(std::bit_cast<float>(std::uint32_t(bits(i))));
      case DType::float64: break;
    }
    return std::bit_cast<double>(bits(i));
  }

  /// Stores values that the type holds exactly; does not round.
  void set(std::int64_t i, double value) {
    switch (dtype_) {
      case DType::float16: {
        const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
        int exponent = 0;
        const double fraction = std::frexp(std::abs(value), &exponent);  // in [1/2, 1)
        const auto normal = std::uint16_t((exponent + 14) << 10 | (int(fraction * 2048) & 1023));
        return set_bits(i, std::uint16_t(sign | (value == 0 ? 0 : normal)));
      }
      case DType::bfloat16: return set_bits(i, std::bit_cast<std::uint32_t>(float(value)) >> 16);
      case DType::float32: return set_bits(i, std::bit_cast<std::uint32_t>(float(value)));
      case DType::float64: return set_bits(i, std::bit_cast<std::uint64_t>(value));
    }
  }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
  std::int64_t size_;
};

/// Multiples of 1/64 of both signs, which every type holds: many ties, values on the grid.
inline Weights ties(DType dtype, std::int64_t size, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  Weights out(dtype, size);
  for (std::int64_t i = 0; i < size; ++i) out.set(i, (int(random() % 255) - 127) / 64.0);
  return out;
}

/// Any bit pattern: NaN, Inf, denormals, both zeros.
inline Weights any_bits(DType dtype, std::int64_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Weights out(dtype, size);
  for (std::int64_t i = 0; i < size; ++i) out.set_bits(i, random() % 7 ? random() : 0);
  return out;
}

inline float limit(float delta, std::int64_t k) {
  volatile float step = float(k);  // rounded by itself, as the product is
  volatile float product = delta * step;
  return product;
}

inline std::int64_t need(std::int64_t n, float t) {
  std::int64_t low = 0, high = n;  // the share never falls with c
  while (low < high) {
    const std::int64_t c = low + (high - low) / 2;
    const bool reaches = n < (1 << 24) ? float(c) / float(n) >= t : double(c) / double(n) >= double(t);
    (reaches ? high : low) = reaches ? c : c + 1;
  }
  return low;
}

struct Decision {
  bool reachable = true;
  std::int64_t level = 0;
  std::vector<bool> kept;

  std::int64_t zeros() const { return std::ranges::count(kept, false); }
};

inline Decision iter_nonstruct(const Weights& weights, float threshold, float delta, const Mask* old = nullptr) {
  std::vector<double> magnitudes;
  for (std::int64_t i = 0; i < weights.size(); ++i)
    magnitudes.push_back(old && !old->kept(i) ? 0.0 : std::abs(weights.value(i)));
  Decision out;
  const std::int64_t wanted = need(weights.size(), threshold);
  if (wanted > 0) {
    std::vector<double> numbers;
    for (const double m : magnitudes)
      if (!std::isnan(m)) numbers.push_back(m);
    out.reachable = std::ssize(numbers) >= wanted;
    if (!out.reachable) return out;
    std::nth_element(numbers.begin(), numbers.begin() + (wanted - 1), numbers.end());
    const double deciding = numbers[std::size_t(wanted - 1)];
    const auto reaches = [&](std::int64_t k) { return double(limit(delta, k)) >= deciding; };
    out.reachable = reaches(INT64_MAX);
    if (!out.reachable) return out;
    std::int64_t low = 1, high = INT64_MAX;
    while (low < high) {
      const std::int64_t k = low + (high - low) / 2;
      (reaches(k) ? high : low) = reaches(k) ? k : k + 1;
    }
    out.level = low;
  }
  for (const double m : magnitudes) out.kept.push_back(!(m <= double(limit(delta, out.level))));
  return out;
}

inline std::vector<bool> bits_of(const Mask& mask) {
  std::vector<bool> out;
  for (std::int64_t i = 0; i < mask.size(); ++i) out.push_back(mask.kept(i));
  return out;
}

inline Mask mask_of(const std::vector<bool>& kept) {
  Mask out({std::int64_t(kept.size())});
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (!kept[i]) out.view().words[i / 32] &= ~(1u << i % 32);
  return out;
}

inline Mask random_mask(std::int64_t size, std::uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::vector<bool> kept;
  for (std::int64_t i = 0; i < size; ++i) kept.push_back(random() % 3 > 0);
  return mask_of(kept);
}

/// Bits behind the last weight are 0.
inline bool tail_is_clear(const Mask& mask) {
  return mask.size() % 32 == 0 || mask.view().words[mask.size() / 32] >> (mask.size() % 32) == 0;
}

/// Calls `body` in a thread that reads and writes denormals as 0, as frameworks set it. False where this build
/// cannot.
template <class Body>
bool with_flushed_denormals(Body&& body) {
#ifdef __SSE__
  std::thread([&] {
    _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, denormals are zero
    body();
  }).join();
  return true;
#else
  (void)body;
  return false;
#endif
}

}  // namespace reference
