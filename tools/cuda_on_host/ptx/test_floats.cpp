// Floating-point instructions and conversions, at the edges of their definitions in the PTX ISA document.
#include "snippet.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace snippet;

namespace {

// Floats as PTX writes them.
const std::string nan = "0d7FF8000000000000", inf = "0d7FF0000000000000", minus_inf = "0dFFF0000000000000",
                  two_and_half = "0d4004000000000000", three_and_half = "0d400C000000000000",
                  minus_half = "0dBFE0000000000000", zero = "0d0000000000000000", minus_zero = "0d8000000000000000",
                  one = "0d3FF0000000000000", huge = "0d43F0000000000000" /* 2^64 */, minus_huge = "0dC3F0000000000000";

TEST_CASE("each instruction rounds once, to even") {
  // 16777217 lies between two floats: the product is rounded before the sum.
  CHECK(f0("mul.rn.f32 %f1, 0f4B800001, 0f3F800000; add.rn.f32 %f0, %f1, 0f3F800000;") == 16777220.0f);
  CHECK(f0("add.rn.f32 %f0, 0f4B800000, 0f3F800000;") == 16777216.0f);
  CHECK(f0("add.rn.f32 %f0, 0f4B800001, 0f3F800000;") == 16777220.0f);
  CHECK(f0("mul.rn.f32 %f1, 0f3F800001, 0f3F800001; sub.rn.f32 %f0, %f1, 0f3F800002;") == 0.0f);  // not fused
  CHECK(f0("div.rn.f32 %f0, 0f3F800000, 0f40400000;") == 1.0f / 3.0f);
  CHECK(fd0("div.rn.f64 %fd0, " + one + ", 0d4008000000000000;") == 1.0 / 3.0);
  CHECK(fd0("sqrt.rn.f64 %fd0, 0d4000000000000000;") == std::sqrt(2.0));
  CHECK(std::isnan(fd0("sqrt.rn.f64 %fd0, " + minus_half + ";")));
  CHECK(fd0("sub.rn.f64 %fd0, " + one + ", " + minus_half + ";") == 1.5);
}

TEST_CASE("what the assembler may fuse, or what flushes denormals, is not known") {
  for (const char* opcode : {"mul.f64", "add.f64", "sub.f64", "mul.rn.ftz.f64"}) {
    CAPTURE(opcode);
    CHECK(fault_of(std::string(opcode) + " %fd0, %fd1, %fd2;").find("unknown instruction") != std::string::npos);
  }
}

TEST_CASE("denormals count") {
  CHECK(f0("mul.rn.f32 %f0, 0f00000002, 0f3F000000;") == std::nextafter(0.0f, 1.0f));
  CHECK(f0("mul.rn.f32 %f0, 0f00800000, 0f3F000000;") == std::ldexp(1.0f, -127));
  CHECK(p0("setp.gt.f32 %p0, 0f00000001, 0f00000000;"));
}

TEST_CASE("signs are changed without rounding") {
  CHECK(fd0("neg.f64 %fd0, " + one + ";") == -1.0);
  CHECK(fd0("abs.f64 %fd0, " + minus_half + ";") == 0.5);
  CHECK(f0("abs.f32 %f0, 0fBF800000;") == 1.0f);
  CHECK_FALSE(std::signbit(fd0("abs.f64 %fd0, " + minus_zero + ";")));
}

TEST_CASE("the smaller and the larger prefer a number to NaN, and know the sign of zero") {
  for (const char* opcode : {"min.f64", "max.f64"}) {
    CAPTURE(opcode);
    CHECK(fd0(std::string(opcode) + " %fd0, " + nan + ", " + one + ";") == 1.0);
    CHECK(fd0(std::string(opcode) + " %fd0, " + one + ", " + nan + ";") == 1.0);
    CHECK(std::isnan(fd0(std::string(opcode) + " %fd0, " + nan + ", " + nan + ";")));
  }
  CHECK(fd0("min.f64 %fd0, " + minus_half + ", " + one + ";") == -0.5);
  CHECK(fd0("max.f64 %fd0, " + minus_half + ", " + one + ";") == 1.0);
  for (const std::string& zeros : {zero + ", " + minus_zero, minus_zero + ", " + zero}) {
    CHECK(std::signbit(fd0("min.f64 %fd0, " + zeros + ";")));
    CHECK_FALSE(std::signbit(fd0("max.f64 %fd0, " + zeros + ";")));
  }
}

TEST_CASE("comparisons with NaN are false, but for those that say unordered") {
  for (const char* compare : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    CAPTURE(compare);
    CHECK_FALSE(p0("setp." + std::string(compare) + ".f64 %p0, " + nan + ", " + one + ";"));
    CHECK_FALSE(p0("setp." + std::string(compare) + ".f64 %p0, " + one + ", " + nan + ";"));
    CHECK(p0("setp." + std::string(compare) + "u.f64 %p0, " + nan + ", " + one + ";"));
    CHECK(p0("setp." + std::string(compare) + "u.f64 %p0, " + one + ", " + nan + ";"));
  }
  CHECK(p0("setp.geu.f64 %p0, " + one + ", " + minus_half + ";"));
  CHECK_FALSE(p0("setp.geu.f64 %p0, " + minus_half + ", " + one + ";"));
  CHECK(p0("setp.eq.f64 %p0, " + zero + ", " + minus_zero + ";"));
  CHECK(p0("setp.ne.f64 %p0, " + one + ", " + zero + ";"));
}

TEST_CASE("floats become integers by the rounding named, and what does not fit becomes the nearest that does") {
  CHECK(r0("cvt.rzi.s32.f64 %r0, " + two_and_half + ";") == 2);
  CHECK(r0("cvt.rni.s32.f64 %r0, " + two_and_half + ";") == 2);
  CHECK(r0("cvt.rni.s32.f64 %r0, " + three_and_half + ";") == 4);
  CHECK(r0("cvt.rpi.s32.f64 %r0, " + two_and_half + ";") == 3);
  CHECK(r0("cvt.rmi.s32.f64 %r0, " + minus_half + ";") == std::uint32_t(-1));
  CHECK(r0("cvt.rzi.s32.f64 %r0, " + minus_half + ";") == 0);
  CHECK(r0("cvt.rzi.u32.f64 %r0, " + minus_half + ";") == 0);
  CHECK(r0("cvt.rzi.u32.f64 %r0, " + minus_inf + ";") == 0);
  CHECK(r0("cvt.rzi.u32.f64 %r0, " + inf + ";") == 0xffffffffu);
  CHECK(r0("cvt.rzi.s32.f64 %r0, " + huge + ";") == 0x7fffffffu);
  CHECK(r0("cvt.rzi.s32.f64 %r0, " + minus_huge + ";") == 0x80000000u);
  CHECK(rd0("cvt.rzi.s64.f64 %rd0, " + huge + ";") == 0x7fffffffffffffffu);
  CHECK(rd0("cvt.rzi.s64.f64 %rd0, " + minus_huge + ";") == 0x8000000000000000u);
  CHECK(rd0("cvt.rzi.u64.f64 %rd0, " + huge + ";") == 0xffffffffffffffffu);
  CHECK(rd0("cvt.rzi.u64.f64 %rd0, 0d43EFFFFFFFFFFFFF;") == 0xfffffffffffff800u);
  CHECK(rd0("cvt.rzi.s64.f32 %rd0, 0f5F000000;") == 0x7fffffffffffffffu);
  for (const char* opcode : {"cvt.rzi.s32.f64 %r0", "cvt.rzi.u32.f64 %r0", "cvt.rni.s32.f64 %r0"})
    CHECK(r0(std::string(opcode) + ", " + nan + ";") == 0);
}

TEST_CASE("halves become the even neighbour, and zero keeps its sign") {
  CHECK(fd0("cvt.rni.f64.f64 %fd0, " + two_and_half + ";") == 2.0);
  CHECK(fd0("cvt.rni.f64.f64 %fd0, " + three_and_half + ";") == 4.0);
  CHECK(std::signbit(fd0("cvt.rni.f64.f64 %fd0, " + minus_half + ";")));
  CHECK(f0("cvt.rn.f32.f64 %f0, 0d3FF0000010000000;") == 1.0f);
  CHECK(f0("cvt.rn.f32.f64 %f0, 0d3FF0000030000000;") == 1.0f + 0x1p-22f);
  CHECK(std::isinf(f0("cvt.rn.f32.f64 %f0, 0d7FEFFFFFFFFFFFFF;")));
  CHECK(fd0("cvt.f64.f32 %fd0, 0f00000001;") == 0x1p-149);
}

TEST_CASE("integers become the nearest float") {
  CHECK(f0("cvt.rn.f32.s64 %f0, 16777217;") == 16777216.0f);
  CHECK(f0("cvt.rn.f32.s64 %f0, 16777219;") == 16777220.0f);
  CHECK(f0("cvt.rn.f32.s64 %f0, -1;") == -1.0f);
  CHECK(f0("cvt.rn.f32.u16 %f0, 65535;") == 65535.0f);
  CHECK(fd0("cvt.rn.f64.u32 %fd0, -1;") == 4294967295.0);
  CHECK(fd0("cvt.rn.f64.s32 %fd0, -1;") == -1.0);
  CHECK(fd0("cvt.rn.f64.u64 %fd0, -1;") == 0x1p64);
  CHECK(fd0("cvt.rn.f64.s64 %fd0, 9007199254740993;") == 9007199254740992.0);
}

TEST_CASE("integers are cut off, or extended as the source's type says") {
  CHECK(r0("cvt.u32.u64 %r0, 0x123456789;") == 0x23456789u);
  CHECK(rd0("cvt.s64.s32 %rd0, -1;") == std::uint64_t(-1));
  CHECK(rd0("cvt.u64.u32 %rd0, -1;") == 0xffffffffu);
  CHECK(rd0("mov.u64 %rd1, -1; cvt.u64.u16 %rd0, %rd1;") == 0xffff);
  CHECK(rs0("cvt.u16.u32 %rs0, 0x12345;") == 0x2345);
  CHECK(r0("cvt.s32.s8 %r0, 0x80;") == 0xffffff80u);
  CHECK(r0("cvt.u32.u8 %r0, 0x180;") == 0x80);
}

TEST_CASE("registers are moved, joined and taken apart") {
  CHECK(fd0("mov.f64 %fd0, " + two_and_half + ";") == 2.5);
  CHECK(rd0("mov.b64 %rd0, %fd1; mov.f64 %fd1, " + one + "; mov.b64 %rd0, %fd1;") == 0x3ff0000000000000u);
  CHECK(rd0("mov.b64 %rd0, {1, 2};") == 0x200000001u);
  CHECK(r0("mov.b64 {%r1, %r0}, 0x300000002;") == 3);
  CHECK(r0("{ .reg .b16 tmp; mov.b32 {tmp, %rs1}, 0x00050006; } cvt.u32.u16 %r0, %rs1;") == 5);
}

}  // namespace
