// Comparisons, and selection by their results.
#include "steps.hpp"

#include <cmath>

namespace ptx {
namespace {

constexpr auto eq = [](auto a, auto b) { return a == b; };
constexpr auto ne = [](auto a, auto b) { return a < b || a > b; };
constexpr auto lt = [](auto a, auto b) { return a < b; };
constexpr auto le = [](auto a, auto b) { return a <= b; };
constexpr auto gt = [](auto a, auto b) { return a > b; };
constexpr auto ge = [](auto a, auto b) { return a >= b; };

/// The unordered form: true for NaN too.
template <auto compare>
constexpr auto or_unordered = [](auto a, auto b) { return compare(a, b) || std::isnan(a) || std::isnan(b); };

constexpr auto select = [](auto a, auto b, bool first) { return first ? a : b; };

template <auto compare>
void add_setp(Steps& steps, const std::string& opcode, auto... types) {
  for_types([&]<class T>(Type<T> type) { add_compute<compare, bool, T, T>(steps, name(opcode, type)); }, types...);
}

template <auto compare>
void add_float_setp(Steps& steps, const std::string& opcode) {
  add_setp<compare>(steps, opcode, f32, f64);
  add_setp<or_unordered<compare>>(steps, opcode + "u", f32, f64);
}

}  // namespace

void add_comparisons(Steps& steps) {
  add_setp<eq>(steps, "setp.eq", u16, u32, u64, s16, s32, s64, b16, b32, b64);
  add_setp<ne>(steps, "setp.ne", u16, u32, u64, s16, s32, s64, b16, b32, b64);
  add_setp<lt>(steps, "setp.lt", u16, u32, u64, s16, s32, s64);
  add_setp<le>(steps, "setp.le", u16, u32, u64, s16, s32, s64);
  add_setp<gt>(steps, "setp.gt", u16, u32, u64, s16, s32, s64);
  add_setp<ge>(steps, "setp.ge", u16, u32, u64, s16, s32, s64);
  add_float_setp<eq>(steps, "setp.eq");
  add_float_setp<ne>(steps, "setp.ne");
  add_float_setp<lt>(steps, "setp.lt");
  add_float_setp<le>(steps, "setp.le");
  add_float_setp<gt>(steps, "setp.gt");
  add_float_setp<ge>(steps, "setp.ge");
  for_types([&]<class T>(Type<T> type) { add_compute<select, T, T, T, bool>(steps, name("selp", type)); }, u16, u32,
            u64, s16, s32, s64, b16, b32, b64, f32, f64);
}

}  // namespace ptx
