// Moves, and registers put together and taken apart.
#include "steps.hpp"

namespace ptx {
namespace {

constexpr auto same = [](auto value) { return value; };

template <class Half>
constexpr auto joined = [](Half low, Half high) { return std::uint64_t(high) << (8 * sizeof(Half)) | low; };

template <class Whole, class Half>
const Instruction* split(const Instruction* i, Thread& thread) {
  const Whole whole = thread.registers.get<Whole>(i->operand[2]);
  thread.registers.set(i->operand[0], Half(whole));
  thread.registers.set(i->operand[1], Half(whole >> (8 * sizeof(Half))));
  return i + 1;
}

template <class Whole, class Half>
void add_halves(Steps& steps, const std::string& opcode) {
  steps.add(opcode + " r{rr}", compute<joined<Half>, Whole, Half, Half>);
  steps.add(opcode + " {rr}r", split<Whole, Half>);
}

}  // namespace

void add_moves(Steps& steps) {
  for_types([&]<class T>(Type<T> type) { add_compute<same, T, T>(steps, name("mov", type)); }, pred, u16, u32, u64, s16,
            s32, s64, b16, b32, b64, f32, f64);
  add_halves<std::uint32_t, std::uint16_t>(steps, "mov.b32");
  add_halves<std::uint64_t, std::uint32_t>(steps, "mov.b64");
  // Global and generic addresses are one space. Addresses of other windows are not converted to it.
  add_compute<same, std::uint64_t, std::uint64_t>(steps, "cvta.to.global.u64");
}

}  // namespace ptx
