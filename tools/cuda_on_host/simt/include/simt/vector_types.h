// The vector types, aligned as a GPU demands of its 8 and 16 byte accesses.
#pragma once

#include <type_traits>

namespace simt {
template <class T>
inline constexpr bool is_vector = false;
}

// Four elements of 8 bytes have two alignments in CUDA 13, so that these types are left out.
#define SIMT_VECTORS(name, T)                                \
  struct name##1 {                                           \
    T x;                                                     \
  };                                                         \
  struct alignas(2 * sizeof(T)) name##2 {                    \
    T x, y;                                                  \
  };                                                         \
  struct name##3 {                                           \
    T x, y, z;                                               \
  };                                                         \
  template <>                                                \
  inline constexpr bool simt::is_vector<name##1> = true;     \
  template <>                                                \
  inline constexpr bool simt::is_vector<name##2> = true;     \
  inline name##1 make_##name##1(T x) { return {x}; }         \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }

#define SIMT_VECTORS_TO_4(name, T)                       \
  SIMT_VECTORS(name, T)                                  \
  struct alignas(4 * sizeof(T)) name##4 {                \
    T x, y, z, w;                                        \
  };                                                     \
  template <>                                            \
  inline constexpr bool simt::is_vector<name##4> = true; \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

SIMT_VECTORS_TO_4(char, signed char)
SIMT_VECTORS_TO_4(uchar, unsigned char)
SIMT_VECTORS_TO_4(short, short)
SIMT_VECTORS_TO_4(ushort, unsigned short)
SIMT_VECTORS_TO_4(int, int)
SIMT_VECTORS_TO_4(uint, unsigned int)
SIMT_VECTORS_TO_4(float, float)
SIMT_VECTORS(long, long)
SIMT_VECTORS(ulong, unsigned long)
SIMT_VECTORS(longlong, long long)
SIMT_VECTORS(ulonglong, unsigned long long)
SIMT_VECTORS(double, double)

#undef SIMT_VECTORS_TO_4
#undef SIMT_VECTORS

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};
