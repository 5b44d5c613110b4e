// The types of PTX, as they are spelled in opcodes.
#pragma once

#include <cstdint>
#include <string_view>

namespace ptx {

template <class Value>
struct Type {
  using type = Value;
  std::string_view name;
};

inline constexpr Type<std::uint8_t> u8{"u8"}, b8{"b8"};
inline constexpr Type<std::uint16_t> u16{"u16"}, b16{"b16"};
inline constexpr Type<std::uint32_t> u32{"u32"}, b32{"b32"};
inline constexpr Type<std::uint64_t> u64{"u64"}, b64{"b64"};
inline constexpr Type<std::int8_t> s8{"s8"};
inline constexpr Type<std::int16_t> s16{"s16"};
inline constexpr Type<std::int32_t> s32{"s32"};
inline constexpr Type<std::int64_t> s64{"s64"};
inline constexpr Type<float> f32{"f32"};
inline constexpr Type<double> f64{"f64"};
inline constexpr Type<bool> pred{"pred"};

/// Calls `use` with each type in turn.
template <class... Types>
void for_types(auto use, Types... types) {
  (use(types), ...);
}

}  // namespace ptx
