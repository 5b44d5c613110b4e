// Logic, shifts and bit fields. Shifts by more than the width are shifts by the width.
#include "steps.hpp"

#include <bit>

namespace ptx {
namespace {

template <class T>
constexpr unsigned width = 8 * sizeof(T);

constexpr auto both = [](auto a, auto b) { return a & b; };
constexpr auto either = [](auto a, auto b) { return a | b; };
constexpr auto one = [](auto a, auto b) { return a ^ b; };
constexpr auto complement = [](auto a) {
  if constexpr (std::is_same_v<decltype(a), bool>)
    return !a;
  else
    return ~a;
};
constexpr auto left = [](auto a, std::uint32_t by) { return by < width<decltype(a)> ? std::uint64_t(a) << by : 0; };
constexpr auto right = [](auto a, std::uint32_t by) {
  if (by < width<decltype(a)>) return decltype(a)(a >> by);
  return decltype(a)(a < 0 ? -1 : 0);
};
constexpr auto ones = [](auto a) { return std::popcount(a); };
constexpr auto leading_zeros = [](auto a) { return std::countl_zero(a); };

/// Puts the low `length` bits of `field` into `base`, at `position`; what does not fit is cut off.
constexpr auto inserted = [](auto field, auto base, std::uint32_t position, std::uint32_t length) {
  using T = decltype(base);
  position &= 0xff;
  length &= 0xff;
  if (position >= width<T>) return base;
  const T ones_of_length = length < width<T> ? T(T(1) << length) - 1 : T(-1);
  const T mask = ones_of_length << position;
  return T((base & ~mask) | (T(field << position) & mask));
};

/// The upper half of `high:low` shifted to the left.
constexpr auto funnel_left = [](std::uint32_t low, std::uint32_t high, std::uint32_t by) {
  return (std::uint64_t(high) << 32 | low) << (by & 31) >> 32;
};
constexpr auto funnel_right = [](std::uint32_t low, std::uint32_t high, std::uint32_t by) {
  return (std::uint64_t(high) << 32 | low) >> (by & 31);
};

/// Four bytes of `high:low`, each chosen by a nibble of the selector; with its top bit set, the sign of that byte.
constexpr auto permuted = [](std::uint32_t low, std::uint32_t high, std::uint32_t selector) {
  const std::uint64_t bytes = std::uint64_t(high) << 32 | low;
  std::uint32_t out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const std::uint32_t nibble = selector >> (4 * i) & 0xf;
    const auto byte = std::uint32_t(bytes >> (8 * (nibble & 7)) & 0xff);
    out |= (nibble & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte) << (8 * i);
  }
  return out;
};

}  // namespace

void add_bits(Steps& steps) {
  for_types(
      [&]<class T>(Type<T> type) {
        add_compute<both, T, T, T>(steps, name("and", type));
        add_compute<either, T, T, T>(steps, name("or", type));
        add_compute<one, T, T, T>(steps, name("xor", type));
        add_compute<complement, T, T>(steps, name("not", type));
      },
      pred, b16, b32, b64);
  for_types([&]<class T>(Type<T> type) { add_compute<left, T, T, std::uint32_t>(steps, name("shl", type)); }, b16, b32,
            b64);
  for_types([&]<class T>(Type<T> type) { add_compute<right, T, T, std::uint32_t>(steps, name("shr", type)); }, u16, u32,
            u64, s16, s32, s64, b16, b32, b64);
  for_types(
      [&]<class T>(Type<T> type) {
        add_compute<inserted, T, T, T, std::uint32_t, std::uint32_t>(steps, name("bfi", type));
        add_compute<ones, std::uint32_t, T>(steps, name("popc", type));
        add_compute<leading_zeros, std::uint32_t, T>(steps, name("clz", type));
      },
      b32, b64);
  add_compute<funnel_left, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>(steps, "shf.l.wrap.b32");
  add_compute<funnel_right, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>(steps, "shf.r.wrap.b32");
  add_compute<permuted, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>(steps, "prmt.b32");
}

}  // namespace ptx
