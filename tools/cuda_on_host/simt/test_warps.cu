// Warp collectives, against their definitions.
#include "device_array.hpp"

#include <doctest/doctest.h>
#include <simt/control.hpp>

namespace {

constexpr unsigned full = 0xffffffffu;

/// One result per lane of the first warp.
std::vector<unsigned long long> per_lane(void (*kernel)(unsigned long long*)) {
  DeviceArray<unsigned long long> results(32);
  launch(kernel, 1, 32, results.data());
  return results.read();
}

template <class Expected>
void check_lanes(void (*kernel)(unsigned long long*), Expected expected) {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    simt::options().order = order;
    const auto found = per_lane(kernel);
    for (int lane = 0; lane < 32; ++lane) {
      CAPTURE(lane);
      CHECK(found[lane] == static_cast<unsigned long long>(expected(lane)));
    }
  }
  simt::reset();
}

__global__ void up(unsigned long long* out) { out[threadIdx.x] = __shfl_up_sync(full, threadIdx.x, 3); }
__global__ void up_in_8(unsigned long long* out) { out[threadIdx.x] = __shfl_up_sync(full, threadIdx.x, 3, 8); }
__global__ void down_in_16(unsigned long long* out) { out[threadIdx.x] = __shfl_down_sync(full, threadIdx.x, 5, 16); }
__global__ void exclusive_or(unsigned long long* out) { out[threadIdx.x] = __shfl_xor_sync(full, threadIdx.x, 5); }
__global__ void xor_in_4(unsigned long long* out) { out[threadIdx.x] = __shfl_xor_sync(full, threadIdx.x, 4, 4); }
__global__ void broadcast_in_8(unsigned long long* out) { out[threadIdx.x] = __shfl_sync(full, threadIdx.x, 11, 8); }
__global__ void wide(unsigned long long* out) {
  out[threadIdx.x] = __shfl_sync(full, 0x100000000ull * threadIdx.x, int(threadIdx.x) + 1);
}
__global__ void real(unsigned long long* out) {
  out[threadIdx.x] = static_cast<unsigned long long>(2 * __shfl_xor_sync(full, 0.5 * threadIdx.x, 1));
}

TEST_CASE("shuffles bring a lane's value, within segments of any width") {
  check_lanes(up, [](int lane) { return lane < 3 ? lane : lane - 3; });
  check_lanes(up_in_8, [](int lane) { return lane % 8 < 3 ? lane : lane - 3; });
  check_lanes(down_in_16, [](int lane) { return lane % 16 < 11 ? lane + 5 : lane; });
  check_lanes(exclusive_or, [](int lane) { return lane ^ 5; });
  check_lanes(xor_in_4, [](int lane) { return lane / 4 % 2 ? lane - 4 : lane; });  // lower segments only
  check_lanes(broadcast_in_8, [](int lane) { return lane / 8 * 8 + 3; });
  check_lanes(wide, [](int lane) { return 0x100000000ull * static_cast<unsigned long long>((lane + 1) % 32); });
  check_lanes(real, [](int lane) { return lane ^ 1; });
}

__global__ void vote(unsigned long long* out) {
  const bool third = threadIdx.x % 3 == 0;
  const unsigned bits = __ballot_sync(full, third);
  const int all = __all_sync(full, third), any = __any_sync(full, third);
  out[threadIdx.x] = bits + 0x100000000ull * unsigned(10 * all + any);
}

__global__ void vote_apart(unsigned long long* out) {
  const unsigned mine = threadIdx.x % 2 ? 0xaaaaaaaau : 0x55555555u;
  out[threadIdx.x] = __ballot_sync(mine, threadIdx.x < 16);
}

__global__ void match(unsigned long long* out) { out[threadIdx.x] = __match_any_sync(full, threadIdx.x % 8); }

TEST_CASE("votes and matches name the lanes, each group by itself") {
  check_lanes(vote, [](int) { return 0x49249249ull + 0x100000000ull; });
  check_lanes(vote_apart, [](int lane) { return lane % 2 ? 0xaaaau : 0x5555u; });
  check_lanes(match, [](int lane) { return 0x01010101u << lane % 8; });
}

__global__ void reduce(unsigned long long* out) {
  const unsigned x = threadIdx.x;
  const int signed_x = int(x) - 16;
  const unsigned results[] = {__reduce_add_sync(full, x),
                              __reduce_min_sync(full, x + 7),
                              __reduce_max_sync(full, x + 7),
                              unsigned(__reduce_add_sync(full, signed_x)),
                              unsigned(__reduce_min_sync(full, signed_x)),
                              unsigned(__reduce_max_sync(full, signed_x)),
                              __reduce_and_sync(full, x | 0xf0u),
                              __reduce_or_sync(full, x),
                              __reduce_xor_sync(full, 1u << x)};
  out[x] = x < 9 ? results[x] : 0;
}

TEST_CASE("reductions combine all lanes, signed or not") {
  constexpr unsigned expected[] = {496, 7, 38, unsigned(-16), unsigned(-16), 15, 0xf0u, 31, full};
  check_lanes(reduce, [&](int lane) { return lane < 9 ? expected[lane] : 0; });
}

__global__ void atomics(unsigned* values, int* signed_values, unsigned long long* wide) {
  const unsigned x = threadIdx.x;
  atomicAdd(&values[0], x);
  atomicSub(&values[1], x);
  atomicMin(&values[2], x + 5);
  atomicMax(&values[3], x + 5);
  atomicAnd(&values[4], ~(1u << x % 32));
  atomicOr(&values[5], 1u << x % 32);
  atomicXor(&values[6], x);
  atomicInc(&values[7], 9u);
  atomicDec(&values[8], 9u);
  atomicMin(&signed_values[0], 5 - int(x));
  atomicMax(&signed_values[1], int(x) - 70);
  atomicAdd(&wide[0], 0x100000000ull);
  if (x == 3) values[9] = atomicCAS(&values[10], 7u, 8u) + atomicExch(&values[11], 4u);
}

TEST_CASE("atomics update, and give back what was there") {
  DeviceArray<unsigned> values(std::vector<unsigned>{0, 0, 100, 0, full, 0, 0, 0, 0, 0, 7, 30});
  DeviceArray<int> signed_values(std::vector<int>{0, -100});
  DeviceArray<unsigned long long> wide(std::vector<unsigned long long>{5});
  launch(atomics, 1, 64, values.data(), signed_values.data(), wide.data());
  CHECK(values.read() == std::vector<unsigned>{2016, unsigned(-2016), 5, 68, 0, full, 0, 4, 6, 37, 8, 4});
  CHECK(signed_values.read() == std::vector<int>{-58, -7});
  CHECK(wide.read()[0] == 64 * 0x100000000ull + 5);
}

TEST_CASE("integer intrinsics count, reverse, shift and multiply") {
  CHECK(__popc(0xf0f0u) == 8);
  CHECK(__popcll(~0ull) == 64);
  CHECK(__clz(1) == 31);
  CHECK(__clz(0) == 32);
  CHECK(__clzll(1) == 63);
  CHECK(__ffs(8) == 4);
  CHECK(__ffs(0) == 0);
  CHECK(__ffsll(1ll << 40) == 41);
  CHECK(__brev(0x00000013u) == 0xc8000000u);
  CHECK(__brevll(2) == 1ull << 62);
  CHECK(__funnelshift_l(0x80000001u, 0x12345678u, 4) == 0x23456788u);
  CHECK(__funnelshift_r(0x80000001u, 0x12345678u, 36) == 0x88000000u);
  CHECK(__umulhi(full, full) == full - 1);
  CHECK(__mulhi(-1, 1) == -1);
  CHECK(__umul64hi(~0ull, ~0ull) == ~0ull - 1);
  CHECK(__byte_perm(0x33221100u, 0x77665544u, 0x7531u) == 0x77553311u);
  CHECK(__byte_perm(0x00008000u, 0, 0x0009u) == 0x000000ffu);
}

}  // namespace
