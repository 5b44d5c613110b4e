// Collectives of the lanes of a warp. A lane stops here; the last lane to come brings the results.
#include "block.hpp"
#include "fault.hpp"
#include "steps.hpp"

#include <array>
#include <bit>

namespace ptx {
namespace {

template <int mask_operand, Resolve resolve>
const Instruction* gather(const Instruction* i, Thread& thread) {
  thread.at = i;
  thread.state = Thread::State::at_collective;
  thread.mask = thread.registers.get<std::uint32_t>(i->operand[mask_operand]);
  thread.resolve = resolve;
  if (!(thread.mask >> thread.number % lanes & 1)) fault(thread, *i, "lane outside its mask");
  return nullptr;
}

void for_lanes(unsigned mask, auto use) {
  for (; mask; mask &= mask - 1) use(unsigned(std::countr_zero(mask)));
}

/// The lane that a value comes from, if that lane is in range.
struct From {
  unsigned lane;
  bool in_range;
};

// `last` is the last lane in range, or the first of them for `up`; segments start where `segment` has its ones.
constexpr auto up = [](unsigned lane, unsigned by, unsigned last, unsigned) {
  return From{lane - by, int(lane) - int(by) >= int(last)};
};
constexpr auto down = [](unsigned lane, unsigned by, unsigned last, unsigned) {
  return From{lane + by, lane + by <= last};
};
constexpr auto butterfly = [](unsigned lane, unsigned by, unsigned last, unsigned) {
  return From{lane ^ by, (lane ^ by) <= last};
};
constexpr auto index = [](unsigned lane, unsigned by, unsigned last, unsigned segment) {
  const unsigned from = (lane & segment) | (by & ~segment);
  return From{from, from <= last};
};

/// `value` is the first operand after the results.
template <auto choose, int value>
void shuffle(std::span<Thread> warp, unsigned mask) {
  std::array<std::uint32_t, lanes> values{};
  for_lanes(mask, [&](unsigned lane) {
    values[lane] = warp[lane].registers.get<std::uint32_t>(warp[lane].at->operand[value]);
  });
  for_lanes(mask, [&](unsigned lane) {
    Thread& thread = warp[lane];
    const std::uint16_t* operand = thread.at->operand;
    const auto by = thread.registers.get<std::uint32_t>(operand[value + 1]) & 31;
    const auto clamp = thread.registers.get<std::uint32_t>(operand[value + 2]);
    const unsigned segment = clamp >> 8 & 31, last = (lane & segment) | (clamp & 31 & ~segment);
    const From from = choose(lane, by, last, segment);
    if (from.in_range && !(mask >> from.lane & 1))
      fault(thread, *thread.at, "lane outside its mask", "the value is that of lane " + std::to_string(from.lane));
    thread.registers.set(operand[0], values[from.in_range ? from.lane : lane]);
    if (value == 2) thread.registers.set(operand[1], from.in_range);
  });
}

template <auto choose>
void add_shuffle(Steps& steps, const std::string& opcode) {
  steps.add(opcode + " r|rrrrr", gather<5, shuffle<choose, 2>>);
  steps.add(opcode + " rrrrr", gather<4, shuffle<choose, 1>>);
}

constexpr auto any = [](unsigned votes, unsigned) { return votes != 0; };
constexpr auto all = [](unsigned votes, unsigned mask) { return votes == mask; };
constexpr auto uniform = [](unsigned votes, unsigned mask) { return votes == 0 || votes == mask; };
constexpr auto ballot = [](unsigned votes, unsigned) { return votes; };

template <auto count>
void vote(std::span<Thread> warp, unsigned mask) {
  unsigned votes = 0;
  for_lanes(mask, [&](unsigned lane) {
    votes |= unsigned(warp[lane].registers.get<bool>(warp[lane].at->operand[1])) << lane;
  });
  for_lanes(mask, [&](unsigned lane) { warp[lane].registers.set(warp[lane].at->operand[0], count(votes, mask)); });
}

void meet(std::span<Thread>, unsigned) {}

}  // namespace

void add_collectives(Steps& steps) {
  add_shuffle<up>(steps, "shfl.sync.up.b32");
  add_shuffle<down>(steps, "shfl.sync.down.b32");
  add_shuffle<butterfly>(steps, "shfl.sync.bfly.b32");
  add_shuffle<index>(steps, "shfl.sync.idx.b32");
  steps.add("vote.sync.any.pred rrr", gather<2, vote<any>>);
  steps.add("vote.sync.all.pred rrr", gather<2, vote<all>>);
  steps.add("vote.sync.uni.pred rrr", gather<2, vote<uniform>>);
  steps.add("vote.sync.ballot.b32 rrr", gather<2, vote<ballot>>);
  steps.add("bar.warp.sync r", gather<0, meet>);
}

}  // namespace ptx
