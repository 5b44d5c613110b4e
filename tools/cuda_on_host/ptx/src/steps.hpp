// The function of each instruction, found by its spelling.
#pragma once

#include "instruction.hpp"
#include "types.hpp"

#include <string>
#include <unordered_map>
#include <utility>

namespace ptx {

/// By opcode and operands. These are written `r` for a register or constant, `{rr}` for a vector, `a` for an address,
/// `l` for a label, `r|r` for a pair of results: "ld.global.v2.u32 {rr}a".
class Steps {
 public:
  static const Steps& all();

  void add(const std::string& form, Step step) { steps_.emplace(form, step); }

  /// Null where there is none.
  Step find(const std::string& form) const;

 private:
  std::unordered_map<std::string, Step> steps_;
};

// The families.
void add_integers(Steps& steps);
void add_bits(Steps& steps);
void add_floats(Steps& steps);
void add_comparisons(Steps& steps);
void add_conversions(Steps& steps);
void add_moves(Steps& steps);
void add_memory(Steps& steps);
void add_control(Steps& steps);
void add_collectives(Steps& steps);

template <class T>
std::string name(const std::string& opcode, Type<T> type) {
  return opcode + "." + std::string(type.name);
}

/// An instruction whose result is a function of its operands.
template <auto operation, class To, class... From>
const Instruction* compute(const Instruction* i, Thread& thread) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    thread.registers.set(i->operand[0], static_cast<To>(operation(thread.registers.get<From>(i->operand[I + 1])...)));
  }
  (std::index_sequence_for<From...>());
  return i + 1;
}

template <auto operation, class To, class... From>
void add_compute(Steps& steps, const std::string& opcode) {
  steps.add(opcode + " " + std::string(1 + sizeof...(From), 'r'), compute<operation, To, From...>);
}

}  // namespace ptx
