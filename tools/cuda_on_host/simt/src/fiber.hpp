// A stack of its own for each CUDA thread.
#pragma once

#include "sanitizers.hpp"

#include <ucontext.h>

#include <cstddef>
#include <string>

namespace simt {

/// Runs `work` on its own stack, again and again, whenever it is resumed; `work` may suspend in between.
class Fiber {
 public:
  /// Fibers next to each other put their frames into different cache sets.
  Fiber(void (*work)(), std::size_t number);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Returns when the fiber suspends, or its work is done. Called outside of fibers.
  void resume();

  /// Returns when the fiber is resumed. Called within this fiber.
  void suspend();

  /// The thread sanitizer's handle of this fiber.
  void* context() const { return context_; }

 private:
  /// Registers that __builtin_setjmp saves: ucontext would add two system calls to each switch, and the
  /// sanitizers' view of setjmp knows nothing of stacks.
  using Registers = void* [5];

  void enter(const ucontext_t& first);
  static void start();
  static void switch_stacks(Registers& from, Registers& to);

  void (*work_)();
  char* stack_;
  void* context_;
  Registers inside_{}, outside_{};
  void* inside_fake_ = nullptr;  // the address sanitizer's side stacks
  void* outside_fake_ = nullptr;
  const void* outside_stack_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace simt
