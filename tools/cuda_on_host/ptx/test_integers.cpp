// Integer instructions, at the edges of their definitions in the PTX ISA document.
#include "snippet.hpp"

#include <doctest/doctest.h>

using namespace snippet;

namespace {

TEST_CASE("sums and products wrap") {
  CHECK(r0("add.s32 %r0, 2147483647, 1;") == 0x80000000u);
  CHECK(r0("sub.s32 %r0, 0, 1;") == 0xffffffffu);
  CHECK(rd0("add.s64 %rd0, 9223372036854775807, 1;") == 0x8000000000000000u);
  CHECK(rd0("sub.s64 %rd0, 5, 7;") == std::uint64_t(-2));
  CHECK(rs0("add.s16 %rs0, 65535, 2;") == 1);
  CHECK(rd0("mul.lo.s64 %rd0, 0x100000001, 0x100000001;") == 0x200000001u);
  CHECK(r0("mul.lo.s32 %r0, 65536, 65537;") == 65536);
  CHECK(rs0("mul.lo.u16 %rs0, 65535, 65535;") == 1);
  CHECK(r0("mad.lo.s32 %r0, 65536, 65537, -1;") == 65535);
  CHECK(rd0("mad.lo.s64 %rd0, -3, 5, 16;") == 1);
}

TEST_CASE("wide products and upper halves have the sign of their type") {
  CHECK(rd0("mul.wide.u32 %rd0, -1, 2;") == 0x1fffffffeu);
  CHECK(rd0("mul.wide.s32 %rd0, -1, 2;") == std::uint64_t(-2));
  CHECK(r0("mul.wide.u16 %r0, 65535, 65535;") == 0xfffe0001u);
  CHECK(r0("mul.wide.s16 %r0, -1, 3;") == std::uint32_t(-3));
  CHECK(r0("mul.hi.u32 %r0, -1, 2;") == 1);
  CHECK(r0("mul.hi.s32 %r0, -1, 2;") == 0xffffffffu);
  CHECK(rd0("mul.hi.u64 %rd0, -1, -1;") == std::uint64_t(-2));
  CHECK(rd0("mul.hi.s64 %rd0, -1, -1;") == 0);
}

TEST_CASE("quotients are cut towards zero, and the remainder has the sign of the dividend") {
  CHECK(rd0("div.s64 %rd0, -7, 2;") == std::uint64_t(-3));
  CHECK(rd0("rem.s64 %rd0, -7, 2;") == std::uint64_t(-1));
  CHECK(rd0("rem.s64 %rd0, 7, -2;") == 1);
  CHECK(r0("div.s32 %r0, 7, -2;") == std::uint32_t(-3));
  CHECK(r0("div.u32 %r0, -7, 2;") == 0x7ffffffcu);
  CHECK(r0("rem.u32 %r0, -7, 16;") == 9);
  CHECK(rd0("div.s64 %rd0, 0x8000000000000000, -1;") == 0x8000000000000000u);
  CHECK(fault_of("div.u32 %r0, 1, 0;").find("integer division by zero") != std::string::npos);
}

TEST_CASE("the smaller, the larger, the negative and the magnitude") {
  CHECK(rd0("min.s64 %rd0, -1, 1;") == std::uint64_t(-1));
  CHECK(rd0("max.s64 %rd0, -1, 1;") == 1);
  CHECK(r0("max.s32 %r0, -2147483648, 1;") == 1);
  CHECK(r0("max.u32 %r0, -2147483648, 1;") == 0x80000000u);
  CHECK(r0("min.u32 %r0, -1, 1;") == 1);
  CHECK(r0("neg.s32 %r0, 5;") == std::uint32_t(-5));
  CHECK(rd0("neg.s64 %rd0, 0x8000000000000000;") == 0x8000000000000000u);
  CHECK(r0("abs.s32 %r0, -5;") == 5);
}

TEST_CASE("shifts by the width and beyond leave zeros, or copies of the sign") {
  CHECK(r0("shl.b32 %r0, 1, 31;") == 0x80000000u);
  for (const char* by : {"32", "33", "63", "64", "100", "-1"}) {
    CAPTURE(by);
    CHECK(r0("shl.b32 %r0, -1, " + std::string(by) + ";") == 0);
    CHECK(r0("shr.u32 %r0, -1, " + std::string(by) + ";") == 0);
    CHECK(r0("shr.s32 %r0, -2, " + std::string(by) + ";") == 0xffffffffu);
    CHECK(r0("shr.s32 %r0, 2147483647, " + std::string(by) + ";") == 0);
  }
  CHECK(rd0("shl.b64 %rd0, 1, 63;") == 0x8000000000000000u);
  CHECK(rd0("shr.u64 %rd0, 0x8000000000000000, 63;") == 1);
  CHECK(rd0("shr.s64 %rd0, 0x8000000000000000, 32;") == 0xffffffff80000000u);
  for (const char* by : {"64", "100", "4294967295"}) {
    CAPTURE(by);
    CHECK(rd0("shl.b64 %rd0, -1, " + std::string(by) + ";") == 0);
    CHECK(rd0("shr.u64 %rd0, -1, " + std::string(by) + ";") == 0);
    CHECK(rd0("shr.s64 %rd0, -2, " + std::string(by) + ";") == std::uint64_t(-1));
  }
  CHECK(rs0("shr.u16 %rs0, 0x8000, 15;") == 1);
  CHECK(rs0("shr.s16 %rs0, 0x8000, 16;") == 0xffff);
  CHECK(rs0("shl.b16 %rs0, 1, 16;") == 0);
}

TEST_CASE("a funnel shift takes its count modulo 32") {
  CHECK(r0("shf.l.wrap.b32 %r0, 0x80000001, 0x00000003, 16;") == 0x00038000u);
  CHECK(r0("shf.l.wrap.b32 %r0, 0x80000001, 0x00000003, 33;") == 7);
  CHECK(r0("shf.l.wrap.b32 %r0, 1, 2, 32;") == 2);
  CHECK(r0("shf.r.wrap.b32 %r0, 0x80000001, 0x00000003, 16;") == 0x00038000u);
  CHECK(r0("shf.r.wrap.b32 %r0, 1, 2, 32;") == 1);
}

TEST_CASE("bit fields of no length change nothing, and what does not fit is cut off") {
  CHECK(r0("prmt.b32 %r0, 0x33221100, 0x77665544, 0x3210;") == 0x33221100u);
  CHECK(r0("prmt.b32 %r0, 0x33221100, 0x77665544, 0x0735;") == 0x00773355u);
  CHECK(r0("prmt.b32 %r0, 0x33228100, 0x77665544, 0x9810;") == 0xff008100u);  // signs of bytes 1 and 0
  CHECK(r0("prmt.b32 %r0, 0x33221100, 0x77665544, 0xffff7604;") == 0x77660044u);
  CHECK(r0("bfi.b32 %r0, 0xff, 0x12345678, 8, 4;") == 0x12345f78u);
  CHECK(r0("bfi.b32 %r0, 0xff, 0x12345678, 8, 0;") == 0x12345678u);
  CHECK(r0("bfi.b32 %r0, 0xff, 0, 28, 8;") == 0xf0000000u);
  CHECK(r0("bfi.b32 %r0, -1, 5, 32, 8;") == 5);
  CHECK(r0("bfi.b32 %r0, 7, 5, 0, 32;") == 7);
  CHECK(r0("bfi.b32 %r0, 7, 5, 0, 255;") == 7);
  CHECK(r0("bfi.b32 %r0, -1, 0, 256, 257;") == 1);  // eight bits of each count
  CHECK(rd0("bfi.b64 %rd0, 3, 4, 32, 32;") == 0x300000004u);
  CHECK(rd0("bfi.b64 %rd0, -1, 0, 63, 32;") == 0x8000000000000000u);
  CHECK(rd0("bfi.b64 %rd0, -1, 9, 64, 1;") == 9);
}

TEST_CASE("bits are counted") {
  CHECK(r0("popc.b32 %r0, -1;") == 32);
  CHECK(r0("popc.b64 %r0, 0xf00000000000000f;") == 8);
  CHECK(r0("clz.b32 %r0, 0;") == 32);
  CHECK(r0("clz.b32 %r0, 1;") == 31);
  CHECK(r0("clz.b64 %r0, 0;") == 64);
  CHECK(r0("clz.b64 %r0, 0x100000000;") == 31);
}

TEST_CASE("logic works on bits, and on predicates") {
  CHECK(r0("and.b32 %r0, 12, 10;") == 8);
  CHECK(r0("or.b32 %r0, 12, 10;") == 14);
  CHECK(rd0("xor.b64 %rd0, -1, 1;") == std::uint64_t(-2));
  CHECK(rs0("not.b16 %rs0, 1;") == 0xfffe);
  CHECK(r0("not.b32 %r0, 0;") == 0xffffffffu);
  CHECK(p0("mov.pred %p1, -1; mov.pred %p2, 0; or.pred %p0, %p1, %p2;"));
  CHECK_FALSE(p0("mov.pred %p1, -1; mov.pred %p2, 0; and.pred %p0, %p1, %p2;"));
  CHECK_FALSE(p0("mov.pred %p1, -1; setp.eq.s32 %p2, 1, 1; xor.pred %p0, %p1, %p2;"));
  CHECK_FALSE(p0("mov.pred %p1, -1; not.pred %p0, %p1;"));
}

TEST_CASE("comparisons have the sign of their type") {
  CHECK(p0("setp.lt.s32 %p0, -1, 0;"));
  CHECK_FALSE(p0("setp.lt.u32 %p0, -1, 0;"));
  CHECK(p0("setp.gt.u64 %p0, -1, 0;"));
  CHECK_FALSE(p0("setp.gt.s64 %p0, -1, 0;"));
  CHECK(p0("setp.lt.s16 %p0, 0x8000, 0;"));
  CHECK_FALSE(p0("setp.lt.u16 %p0, 0x8000, 0;"));
  CHECK(p0("setp.ge.s64 %p0, 0, -1;"));
  CHECK_FALSE(p0("setp.ge.u64 %p0, 0, -1;"));
  CHECK(p0("setp.le.s64 %p0, -1, -1;"));
  CHECK(p0("setp.eq.s64 %p0, 0x100000000, 0x100000000;"));
  CHECK(p0("setp.ne.s64 %p0, 0x100000000, 0;"));
  CHECK(p0("mov.u64 %rd1, 0x100000000; setp.eq.s32 %p0, %rd1, 0;"));  // only the width of the type
  CHECK(r0("setp.gt.s32 %p1, 2, 1; selp.b32 %r0, 5, 6, %p1;") == 5);
  CHECK(r0("setp.gt.s32 %p1, 1, 2; selp.b32 %r0, 5, 6, %p1;") == 6);
}

}  // namespace
