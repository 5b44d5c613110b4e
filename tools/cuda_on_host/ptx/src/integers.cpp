// Integer arithmetic, which wraps.
#include "fault.hpp"
#include "steps.hpp"

#include <type_traits>

namespace ptx {
namespace {

// In 64 bits without a sign: overflow does not reach the bits that are kept.
std::uint64_t wide(auto value) { return static_cast<std::uint64_t>(value); }

constexpr auto plus = [](auto a, auto b) { return wide(a) + wide(b); };
constexpr auto minus = [](auto a, auto b) { return wide(a) - wide(b); };
constexpr auto times = [](auto a, auto b) { return wide(a) * wide(b); };
constexpr auto times_plus = [](auto a, auto b, auto c) { return wide(a) * wide(b) + wide(c); };
constexpr auto negative = [](auto a) { return 0 - wide(a); };
constexpr auto magnitude = [](auto a) { return a < 0 ? 0 - wide(a) : wide(a); };
constexpr auto smaller = [](auto a, auto b) { return b < a ? b : a; };
constexpr auto larger = [](auto a, auto b) { return a < b ? b : a; };
constexpr auto upper_half = [](auto a, auto b) {
  using Wide = std::conditional_t<std::is_signed_v<decltype(a)>, __int128, unsigned __int128>;
  return static_cast<std::uint64_t>(static_cast<Wide>(a) * static_cast<Wide>(b) >> (8 * sizeof a));
};

/// The quotient of the smallest number and -1 wraps.
constexpr auto quotient = [](auto a, auto b) {
  return b == decltype(b)(-1) && std::is_signed_v<decltype(a)> ? negative(a) : wide(a / b);
};
constexpr auto remainder = [](auto a, auto b) {
  return b == decltype(b)(-1) && std::is_signed_v<decltype(a)> ? 0 : wide(a % b);
};

template <auto operation, class T>
const Instruction* divide(const Instruction* i, Thread& thread) {
  if (thread.registers.get<T>(i->operand[2]) == 0) fault(thread, *i, "integer division by zero");
  return compute<operation, T, T, T>(i, thread);
}

}  // namespace

void add_integers(Steps& steps) {
  for_types(
      [&]<class T>(Type<T> type) {
        add_compute<plus, T, T, T>(steps, name("add", type));
        add_compute<minus, T, T, T>(steps, name("sub", type));
        add_compute<times, T, T, T>(steps, name("mul.lo", type));
        add_compute<upper_half, T, T, T>(steps, name("mul.hi", type));
        add_compute<times_plus, T, T, T, T>(steps, name("mad.lo", type));
        add_compute<smaller, T, T, T>(steps, name("min", type));
        add_compute<larger, T, T, T>(steps, name("max", type));
        steps.add(name("div", type) + " rrr", divide<quotient, T>);
        steps.add(name("rem", type) + " rrr", divide<remainder, T>);
      },
      u16, u32, u64, s16, s32, s64);
  for_types(
      [&]<class T>(Type<T> type) {
        add_compute<negative, T, T>(steps, name("neg", type));
        add_compute<magnitude, T, T>(steps, name("abs", type));
      },
      s16, s32, s64);
  add_compute<times, std::uint32_t, std::uint16_t, std::uint16_t>(steps, "mul.wide.u16");
  add_compute<times, std::uint64_t, std::uint32_t, std::uint32_t>(steps, "mul.wide.u32");
  add_compute<times, std::int32_t, std::int16_t, std::int16_t>(steps, "mul.wide.s16");
  add_compute<times, std::int64_t, std::int32_t, std::int32_t>(steps, "mul.wide.s32");
}

}  // namespace ptx
