// Floating-point arithmetic, rounded to the nearest even number once per instruction, with denormals.
#include "steps.hpp"

#include <cmath>
#include <limits>

namespace ptx {
namespace {

constexpr auto plus = [](auto a, auto b) { return a + b; };
constexpr auto minus = [](auto a, auto b) { return a - b; };
constexpr auto times = [](auto a, auto b) { return a * b; };
constexpr auto divided = [](auto a, auto b) { return a / b; };
constexpr auto root = [](auto a) { return std::sqrt(a); };
constexpr auto negative = [](auto a) { return -a; };
constexpr auto magnitude = [](auto a) { return std::fabs(a); };

/// NaN counts only beside NaN; -0 is below +0.
constexpr auto smaller = [](auto a, auto b) {
  if (std::isnan(a)) return std::isnan(b) ? std::numeric_limits<decltype(a)>::quiet_NaN() : b;
  if (a == b) return std::signbit(a) ? a : b;
  return b < a ? b : a;
};
constexpr auto larger = [](auto a, auto b) {
  if (std::isnan(a)) return std::isnan(b) ? std::numeric_limits<decltype(a)>::quiet_NaN() : b;
  if (a == b) return std::signbit(a) ? b : a;
  return a < b ? b : a;
};

}  // namespace

void add_floats(Steps& steps) {
  for_types(
      [&]<class T>(Type<T> type) {
        add_compute<plus, T, T, T>(steps, name("add.rn", type));
        add_compute<minus, T, T, T>(steps, name("sub.rn", type));
        add_compute<times, T, T, T>(steps, name("mul.rn", type));
        add_compute<divided, T, T, T>(steps, name("div.rn", type));
        add_compute<root, T, T>(steps, name("sqrt.rn", type));
        add_compute<negative, T, T>(steps, name("neg", type));
        add_compute<magnitude, T, T>(steps, name("abs", type));
        add_compute<smaller, T, T, T>(steps, name("min", type));
        add_compute<larger, T, T, T>(steps, name("max", type));
      },
      f32, f64);
}

}  // namespace ptx
