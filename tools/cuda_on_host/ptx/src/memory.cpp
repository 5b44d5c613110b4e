// Loads, stores and atomics. Addresses of parameters and shared variables are offsets; all others are those of the
// host.
#include "block.hpp"
#include "fault.hpp"
#include "steps.hpp"

namespace ptx {
namespace {

struct Param {
  static const std::byte* at(Thread& t, const Instruction& i, std::uint64_t address, unsigned size) {
    return t.block->parameter(t, i, address, size);
  }
};
struct Shared {
  static std::byte* at(Thread& t, const Instruction& i, std::uint64_t address, unsigned size) {
    return t.block->shared(t, i, std::uint32_t(address), size);
  }
};
struct Global {
  static std::byte* at(Thread& t, const Instruction& i, std::uint64_t address, unsigned size) {
    return t.block->global(t, i, address, size);
  }
};

template <class Space>
auto* reach(const Instruction* i, Thread& thread, int base, unsigned size) {
  const std::uint64_t address = thread.registers.get<std::uint64_t>(i->operand[base]) + std::uint64_t(i->offset);
  if (address % size != 0)
    fault(thread, *i, "misaligned access", "the address is no multiple of " + std::to_string(size) + " bytes");
  return Space::at(thread, *i, address, size);
}

template <class Space, class T, int count>
const Instruction* load(const Instruction* i, Thread& thread) {
  const std::byte* from = reach<Space>(i, thread, count, count * sizeof(T));
  T values[count];
  std::memcpy(values, from, sizeof values);
  for (int n = 0; n < count; ++n) thread.registers.set(i->operand[n], values[n]);
  return i + 1;
}

template <class Space, class T, int count>
const Instruction* store(const Instruction* i, Thread& thread) {
  T values[count];
  for (int n = 0; n < count; ++n) values[n] = thread.registers.get<T>(i->operand[1 + n]);
  std::memcpy(reach<Space>(i, thread, 0, sizeof values), values, sizeof values);
  return i + 1;
}

template <class Space, class T, auto operation>
const Instruction* atomic(const Instruction* i, Thread& thread) {
  std::byte* where = reach<Space>(i, thread, 1, sizeof(T));
  T old;
  std::memcpy(&old, where, sizeof old);
  const T next = operation(old, thread.registers.get<T>(i->operand[2]));
  std::memcpy(where, &next, sizeof next);
  thread.registers.set(i->operand[0], old);
  return i + 1;
}

constexpr auto plus = [](auto a, auto b) { return a + b; };
constexpr auto either = [](auto a, auto b) { return a | b; };

/// All types and vectors of up to 16 bytes.
template <class Space, bool writable>
void add_accesses(Steps& steps, const std::string& space) {
  const auto add = [&]<class T, int count>(Type<T> type, const std::string& vector, const std::string& operands,
                                           std::integral_constant<int, count>) {
    if constexpr (count * sizeof(T) <= 16) {
      steps.add(name("ld" + space + vector, type) + " " + operands + "a", load<Space, T, count>);
      if constexpr (writable) steps.add(name("st" + space + vector, type) + " a" + operands, store<Space, T, count>);
    }
  };
  for_types(
      [&](auto type) {
        add(type, "", "r", std::integral_constant<int, 1>());
        add(type, ".v2", "{rr}", std::integral_constant<int, 2>());
        add(type, ".v4", "{rrrr}", std::integral_constant<int, 4>());
      },
      u8, u16, u32, u64, s8, s16, s32, s64, b8, b16, b32, b64, f32, f64);
}

template <class Space>
void add_atomics(Steps& steps, const std::string& space) {
  for_types(
      [&]<class T>(Type<T> type) { steps.add(name("atom" + space + ".add", type) + " rar", atomic<Space, T, plus>); },
      u32, u64);
  for_types(
      [&]<class T>(Type<T> type) { steps.add(name("atom" + space + ".or", type) + " rar", atomic<Space, T, either>); },
      b32, b64);
}

}  // namespace

void add_memory(Steps& steps) {
  add_accesses<Param, false>(steps, ".param");
  add_accesses<Shared, true>(steps, ".shared");
  add_accesses<Global, true>(steps, ".global");
  add_accesses<Global, true>(steps, "");
  add_atomics<Shared>(steps, ".shared");
  add_atomics<Global>(steps, ".global");
}

}  // namespace ptx
