// Numbers of the four types in and out of memory, by the compiler's own conversions: nothing here is the library's.
#pragma once

#include <prunecell/types.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace benchmarks {

using prunecell::DType;
using prunecell::TensorView;

struct Bfloat {
  std::uint16_t bits;

  Bfloat() = default;
  explicit Bfloat(float x) {  // to the nearest, ties to even
    const auto all = std::bit_cast<std::uint32_t>(x);
    bits = std::uint16_t(std::isnan(x) ? all >> 16 | 0x40 : (all + 0x7fff + (all >> 16 & 1)) >> 16);
  }
  explicit operator double() const { return double(std::bit_cast<float>(std::uint32_t(bits) << 16)); }
};

/// body(Type()) with the C++ type of `dtype`.
template <class Body>
decltype(auto) with_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float16: return body(_Float16());
    case DType::bfloat16: return body(Bfloat());
    case DType::float32: return body(float());
    case DType::float64: break;
  }
  return body(double());
}

/// The number `value` as element `i` in memory.
inline void store(const TensorView& view, std::int64_t i, float value) {
  with_type(view.dtype, [&]<class T>(T) { static_cast<T*>(view.data)[i] = T(value); });
}

}  // namespace benchmarks
