// Branches, and the barrier of the block.
#include "steps.hpp"

namespace ptx {
namespace {

const Instruction* branch(const Instruction* i, Thread&) { return i + i->offset; }

template <bool when>
const Instruction* branch_if(const Instruction* i, Thread& thread) {
  return i + (thread.registers.get<bool>(i->operand[0]) == when ? i->offset : 1);
}

template <Thread::State state>
const Instruction* stop(const Instruction* i, Thread& thread) {
  thread.at = i;
  thread.state = state;
  return nullptr;
}

}  // namespace

void add_control(Steps& steps) {
  steps.add("bra l", branch);
  steps.add("bra.uni l", branch);
  steps.add("@bra rl", branch_if<true>);
  steps.add("@!bra rl", branch_if<false>);
  steps.add("ret ", stop<Thread::State::done>);
  steps.add("bar.sync r", stop<Thread::State::at_barrier>);
}

}  // namespace ptx
