// Barriers, votes and shuffles.
#include "snippet.hpp"

#include <doctest/doctest.h>

using namespace snippet;

namespace {

/// A shuffle of each lane's number plus 100, and 1000 where the lane's predicate says that its source is in range.
template <class Expected>
void check_shuffle(const std::string& mode, const std::string& by, const std::string& clamp, Expected expected) {
  const Words words = run("add.s32 %r1, %r9, 100; shfl.sync." + mode + ".b32 %r0|%p0, %r1, " + by + ", " + clamp +
                              ", -1; selp.b32 %r2, 1000, 0, %p0; add.s32 %r0, %r0, %r2; st.global.u32 [%rd9], %r0;",
                          32);
  for (int lane = 0; lane < 32; ++lane) {
    CAPTURE(lane);
    const int from = expected(lane);
    CHECK(words[lane] == std::uint64_t(from >= 0 ? 1100 + from : 100 + lane));
  }
}

bool says(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

TEST_CASE("shuffles bring a value from a lane in range, or the lane's own") {
  check_shuffle("up", "3", "0", [](int lane) { return lane - 3; });
  check_shuffle("down", "5", "31", [](int lane) { return lane + 5 < 32 ? lane + 5 : -1; });
  check_shuffle("bfly", "5", "31", [](int lane) { return lane ^ 5; });
  check_shuffle("idx", "11", "31", [](int) { return 11; });
  check_shuffle("up", "35", "0", [](int lane) { return lane - 3; });  // five bits count
}

TEST_CASE("shuffles stay within the segment that the clamp describes") {  // width 8: segment mask 24
  check_shuffle("up", "3", "0x1800", [](int lane) { return lane % 8 < 3 ? -1 : lane - 3; });
  check_shuffle("down", "3", "0x181f", [](int lane) { return lane % 8 + 3 < 8 ? lane + 3 : -1; });
  check_shuffle("idx", "11", "0x181f", [](int lane) { return lane / 8 * 8 + 3; });
  check_shuffle("bfly", "8", "0x181f", [](int lane) { return lane & 8 ? lane - 8 : -1; });  // lower ones only
  check_shuffle("down", "1", "7", [](int lane) { return lane + 1 <= 7 ? lane + 1 : -1; });
}

TEST_CASE("a shuffle needs no predicate, and lanes may differ in what they ask for") {
  const Words words =
      run("sub.s32 %r1, 31, %r9; shfl.sync.idx.b32 %r0, %r9, %r1, 31, -1; st.global.u32 [%rd9], %r0;", 32);
  for (unsigned lane = 0; lane < 32; ++lane) CHECK(words[lane] == 31 - lane);
}

TEST_CASE("votes count the lanes of the mask") {
  const std::string third = "rem.u32 %r1, %r9, 3; setp.eq.s32 %p1, %r1, 0; ";
  const auto first = [&](const std::string& vote, unsigned threads = 32) {
    return run(third + vote + " selp.u64 %rd0, 1, 0, %p0; st.global.u64 [%rd9], %rd0;", threads)[0];
  };
  CHECK(first("vote.sync.any.pred %p0, %p1, -1;") == 1);
  CHECK(first("vote.sync.all.pred %p0, %p1, -1;") == 0);
  CHECK(first("vote.sync.uni.pred %p0, %p1, -1;") == 0);
  CHECK(first("mov.pred %p1, 0; vote.sync.any.pred %p0, %p1, -1;") == 0);
  CHECK(first("mov.pred %p1, 0; vote.sync.uni.pred %p0, %p1, -1;") == 1);
  CHECK(first("mov.pred %p1, -1; vote.sync.all.pred %p0, %p1, 15;", 4) == 1);
  CHECK(run(third + "vote.sync.ballot.b32 %r0, %p1, -1; st.global.u32 [%rd9], %r0;", 32)[7] == 0x49249249u);
}

TEST_CASE("groups of lanes meet by themselves") {
  const Words words =
      run("setp.lt.u32 %p1, %r9, 16; @%p1 bra $low;"
          "vote.sync.ballot.b32 %r0, %p1, 0xffff0000; bra $end;"
          "$low: vote.sync.ballot.b32 %r0, %p1, 0x0000ffff;"
          "$end: bar.warp.sync -1; st.global.u32 [%rd9], %r0;",
          32);
  CHECK(words[0] == 0xffffu);
  CHECK(words[31] == 0);
}

TEST_CASE("a barrier parts what was written before it from what is read behind it") {
  const Words words =
      run("st.global.u64 [%rd9], 7; bar.sync 0; setp.ne.s32 %p1, %r9, 0; @%p1 bra $end;"
          "ld.global.u64 %rd0, [%rd8+632]; bar.warp.sync 1; st.global.u64 [%rd8], %rd0; $end:",
          80);
  CHECK(words[0] == 7);
}

TEST_CASE("a barrier that threads miss aborts") {
  const std::string exits = "setp.eq.s32 %p1, %r9, 40; @%p1 bra $end; bar.sync 0; $end:";
  CHECK(says(fault_of(exits, 64),
             "barrier divergence in kernel snippet, block (0,0,0), thread (0,0,0), at snippet.ptx:"));
  CHECK(says(fault_of(exits, 64), "but thread (40,0,0) has exited"));
  const std::string elsewhere =
      "setp.eq.s32 %p1, %r9, 40; @%p1 bra $other; bar.sync 0; bra $end; $other:\n bar.sync 0;\n $end:";
  CHECK(says(fault_of(elsewhere, 64), "but thread (40,0,0) is at snippet.ptx:20 `bar.sync 0;`"));
}

TEST_CASE("a collective that lanes miss aborts") {
  CHECK(says(fault_of("setp.eq.s32 %p1, %r9, 3; @%p1 bra $end; bar.warp.sync -1; $end:", 32),
             "waits for lane 3, which has exited"));
  CHECK(says(fault_of("bar.warp.sync -1;", 8), "waits for lane 8, which does not exist"));
  CHECK(says(fault_of("setp.eq.s32 %p1, %r9, 3; selp.b32 %r1, 15, -1, %p1; bar.warp.sync %r1;", 32),
             "collective divergence in kernel snippet, block (0,0,0), thread (0,0,0), at snippet.ptx:"));
  CHECK(says(fault_of("bar.warp.sync 2;", 1), "lane outside its mask"));
  CHECK(says(fault_of("setp.ge.u32 %p1, %r9, 16; @%p1 bra $end; shfl.sync.idx.b32 %r0, %r9, 20, 31, 0xffff; $end:", 32),
             "the value is that of lane 20"));
}

}  // namespace
