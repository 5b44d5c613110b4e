// The results of warp collectives.
#include "block.hpp"
#include "fault.hpp"

#include <bit>

namespace simt {
namespace {

/// The lane whose value a shuffle brings to `lane`; its own where that lies outside of its segment.
unsigned source_lane(Operation operation, unsigned lane, const Contribution& part) {
  const int width = part.width, segment = int(lane) / width * width, position = int(lane) - segment;
  int source = position;
  switch (operation) {
    case Operation::shfl: source = part.argument & (width - 1); break;
    case Operation::shfl_up: source = position - part.argument; break;
    case Operation::shfl_down: source = position + part.argument; break;
    default: source = (int(lane) ^ part.argument) - segment;  // shfl_xor may also read lower segments
  }
  if (operation == Operation::shfl_xor ? source >= width : source < 0 || source >= width) source = position;
  return unsigned(segment + source);
}

std::uint64_t combine(Operation operation, std::uint64_t a, std::uint64_t b) {
  const auto x = std::uint32_t(a), y = std::uint32_t(b);
  const auto i = std::int32_t(x), j = std::int32_t(y);
  switch (operation) {
    case Operation::reduce_add: return x + y;
    case Operation::reduce_min_unsigned: return x < y ? x : y;
    case Operation::reduce_max_unsigned: return x < y ? y : x;
    case Operation::reduce_min_int: return std::uint32_t(i < j ? i : j);
    case Operation::reduce_max_int: return std::uint32_t(i < j ? j : i);
    case Operation::reduce_and:
    case Operation::all: return a & b;
    case Operation::reduce_xor: return a ^ b;
    default: return a | b;  // reduce_or, any, and the bits of a ballot
  }
}

template <class Action>
void for_each_lane(unsigned mask, Action action) {
  for (unsigned rest = mask; rest; rest &= rest - 1) action(unsigned(std::countr_zero(rest)));
}

void resolve_shuffle(Operation operation, unsigned mask, std::span<Thread> warp) {
  for_each_lane(mask, [&](unsigned lane) {
    Thread& thread = warp[lane];
    const unsigned source = source_lane(operation, lane, thread.part);
    if (!(mask >> source & 1))
      fault(thread, "lane outside its mask",
            describe(operation, mask, thread.where) + " reads lane " + std::to_string(source) +
                ", which the mask does not name");
    thread.result = warp[source].part.value;
  });
}

}  // namespace

void resolve(Operation operation, unsigned mask, std::span<Thread> warp) {
  switch (operation) {
    case Operation::syncwarp: return;
    case Operation::shfl:
    case Operation::shfl_up:
    case Operation::shfl_down:
    case Operation::shfl_xor: return resolve_shuffle(operation, mask, warp);
    case Operation::match_any:
      for_each_lane(mask, [&](unsigned lane) {
        warp[lane].result = 0;
        for_each_lane(mask, [&](unsigned other) {
          if (warp[other].part.value == warp[lane].part.value) warp[lane].result |= 1u << other;
        });
      });
      return;
    default: break;
  }
  const unsigned shift_by_lane = operation == Operation::ballot ? 1 : 0;
  const auto value = [&](unsigned lane) { return warp[lane].part.value << lane * shift_by_lane; };
  std::uint64_t result = value(unsigned(std::countr_zero(mask)));
  for_each_lane(mask & (mask - 1), [&](unsigned lane) { result = combine(operation, result, value(lane)); });
  for_each_lane(mask, [&](unsigned lane) { warp[lane].result = result; });
}

}  // namespace simt
