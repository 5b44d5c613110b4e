// Conversions between types.
#include "steps.hpp"

#include <cmath>
#include <limits>

namespace ptx {
namespace {

constexpr auto truncated = [](auto value) { return std::trunc(value); };
constexpr auto to_nearest_even = [](auto value) { return std::nearbyint(value); };
constexpr auto down = [](auto value) { return std::floor(value); };
constexpr auto up = [](auto value) { return std::ceil(value); };

/// NaN becomes 0, a number out of range the nearest integer within.
template <class To, auto round>
constexpr auto to_integer = [](auto value) {
  using From = decltype(value);
  constexpr To lowest = std::numeric_limits<To>::min(), highest = std::numeric_limits<To>::max();
  const From rounded = round(value);
  if (std::isnan(rounded)) return To(0);
  if (rounded <= From(lowest)) return lowest;
  return rounded >= From(highest) ? highest : To(rounded);  // From(highest) may be rounded up
};

constexpr auto converted = [](auto value) { return value; };

template <auto round>
void add_rounding_to_integer(Steps& steps, const std::string& opcode) {
  for_types(
      [&]<class From>(Type<From> from) {
        for_types(
            [&]<class To>(Type<To> to) {
              add_compute<to_integer<To, round>, To, From>(steps, name(name(opcode, to), from));
            },
            u16, u32, u64, s16, s32, s64);
        add_compute<round, From, From>(steps, name(name(opcode, from), from));
      },
      f32, f64);
}

}  // namespace

void add_conversions(Steps& steps) {
  const auto with_integers = [](auto use) { for_types(use, u8, u16, u32, u64, s8, s16, s32, s64); };
  with_integers([&]<class From>(Type<From> from) {
    with_integers([&]<class To>(Type<To> to) { add_compute<converted, To, From>(steps, name(name("cvt", to), from)); });
    for_types([&]<class To>(Type<To> to) { add_compute<converted, To, From>(steps, name(name("cvt.rn", to), from)); },
              f32, f64);
  });
  add_compute<converted, double, float>(steps, "cvt.f64.f32");
  add_compute<converted, float, double>(steps, "cvt.rn.f32.f64");
  add_rounding_to_integer<truncated>(steps, "cvt.rzi");
  add_rounding_to_integer<to_nearest_even>(steps, "cvt.rni");
  add_rounding_to_integer<down>(steps, "cvt.rmi");
  add_rounding_to_integer<up>(steps, "cvt.rpi");
}

}  // namespace ptx
