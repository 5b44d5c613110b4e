// Loads, stores, atomics and branches, and their faults.
#include "snippet.hpp"

#include <doctest/doctest.h>

using namespace snippet;

namespace {

bool says(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

TEST_CASE("narrow loads are extended as their type says") {
  CHECK(run("ld.global.u8 %rs0, [%rd9]; cvt.u64.u16 %rd0, %rs0; st.global.u64 [%rd9], %rd0;", 1, {0x1ff})[0] == 0xff);
  CHECK(run("ld.global.s8 %r0, [%rd9]; cvt.s64.s32 %rd0, %r0; st.global.u64 [%rd9], %rd0;", 1, {0x80})[0] ==
        std::uint64_t(-128));
  CHECK(run("ld.u32 %r0, [%rd9+4]; cvt.u64.u32 %rd0, %r0; st.global.u64 [%rd9], %rd0;", 1, {0x7ffffffff})[0] == 7);
}

TEST_CASE("narrow stores leave their neighbours alone") {
  CHECK(run("st.global.u8 [%rd9+1], 0;", 1, {~0ull})[0] == 0xffffffffffff00ffu);
  CHECK(run("st.global.u16 [%rd9+6], -2;", 1, {0})[0] == 0xfffe000000000000u);
  CHECK(run("st.global.v2.u8 [%rd9+2], {1, 2};", 1, {0})[0] == 0x02010000u);
}

TEST_CASE("vectors lie in memory in the order of their registers") {
  const Words words =
      run("mov.u32 %r0, first; st.shared.v2.u64 [%r0+16], {0x200000001, 0x400000003};"
          "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [first+16];"
          "st.global.v2.u32 [%rd8+8], {%r2, %r1}; st.global.v2.u32 [%rd8+16], {%r4, %r3};",
          3);
  CHECK(words == Words{0, 0x100000002u, 0x300000004u});
}

TEST_CASE("shared variables are apart, and fresh in each block") {
  CHECK(rd0("ld.shared.u64 %rd0, [second];") == 0xcbcbcbcbcbcbcbcbu);
  CHECK(rd0("st.shared.u64 [first], 5; st.shared.u64 [second], 6; ld.shared.u64 %rd0, [first];") == 5);
}

TEST_CASE("parameters are read at computed addresses too") {
  CHECK(p0("mov.b64 %rd1, out; add.s64 %rd1, %rd1, 4; ld.param.u64 %rd2, [%rd1+-4]; setp.eq.u64 %p0, %rd2, %rd8;"));
}

TEST_CASE("atomics give the old value") {
  CHECK(run("atom.global.add.u64 %rd0, [%rd8], 3; st.global.u64 [%rd8+8], %rd0;", 2, {40, 0})[1] == 43);
  CHECK(run("atom.global.add.u64 %rd0, [%rd8], 3;", 2, {40, 0})[0] == 46);
  CHECK(run("atom.global.or.b32 %r0, [%rd9], 5;", 1, {0xffffffff00000002u})[0] == 0xffffffff00000007u);
  CHECK(r0("st.shared.u32 [first+4], -1; atom.shared.add.u32 %r0, [first+4], 2;") == 0xffffffffu);
  CHECK(r0("st.shared.u32 [first+4], -1; atom.shared.add.u32 %r1, [first+4], 2; ld.shared.u32 %r0, [first+4];") == 1);
}

TEST_CASE("branches are taken where their predicate says so") {
  CHECK(r0("mov.u32 %r0, 0; $again: add.s32 %r0, %r0, 1; setp.lt.s32 %p1, %r0, 5; @%p1 bra $again;") == 5);
  CHECK(r0("mov.u32 %r0, 1; setp.eq.s32 %p1, 1, 1; @!%p1 bra $end; mov.u32 %r0, 2; $end:") == 2);
  CHECK(r0("mov.u32 %r0, 1; bra.uni $end; mov.u32 %r0, 2; $end:") == 1);
  CHECK(r0("mov.u32 %r0, 1; setp.eq.s32 %p1, 1, 1; @%p1 mov.u32 %r0, 2; @!%p1 mov.u32 %r0, 3;") == 2);
}

TEST_CASE("a misaligned access aborts, as do those beside what there is") {
  CHECK(says(fault_of("st.global.u32 [%rd9+2], 0;"),
             "misaligned access in kernel snippet, block (0,0,0), thread "
             "(0,0,0), at snippet.ptx:"));
  CHECK(says(fault_of("ld.global.v2.u32 {%r0, %r1}, [%rd9+4];"), "misaligned access"));
  CHECK(says(fault_of("ld.shared.v4.u32 {%r0, %r1, %r2, %r3}, [first+8];"), "misaligned access"));
  CHECK(says(fault_of("ld.global.u64 %rd0, [%rd9+8];"), "access outside of global memory"));
  CHECK(says(fault_of("ld.global.v2.u64 {%rd0, %rd1}, [%rd9];"), "access outside of global memory"));
  CHECK(says(fault_of("st.global.u64 [%rd9+-8], 0;"), "access outside of global memory"));
  CHECK(says(fault_of("ld.shared.u8 %rs0, [first+32];"), "access beside a shared variable"));
  CHECK(says(fault_of("ld.shared.u8 %rs0, [second+-1];"), "access beside a shared variable"));
  CHECK(says(fault_of("atom.shared.add.u32 %r0, [second+20], 1;"), "access beside a shared variable"));
  CHECK(says(fault_of("ld.shared.u64 %rd0, [second+16];"), "access beside a shared variable"));
  CHECK(says(fault_of("ld.param.u32 %r0, [out+8];"), "access beside the parameters"));
}

TEST_CASE("what is not known aborts with its line") {
  CHECK(says(fault_of("add.cc.s32 %r0, 1, 2;"), "unknown instruction, at snippet.ptx:"));
  CHECK(says(fault_of("add.s32 %r0, 1;"), "`add.s32 %r0, 1;`"));
  CHECK(says(fault_of("add.s32 %r0, %r10, 1;"), "unknown name"));
  CHECK(says(fault_of("add.s32 %r0, 1x, 1;"), "unknown name"));
  CHECK(says(fault_of("bra $nowhere;"), "unknown label"));
  CHECK(says(fault_of(".local .b8 depot[8];"), "unknown"));
}

}  // namespace
