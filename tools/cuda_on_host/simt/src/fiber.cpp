#include "fiber.hpp"

#include <sys/mman.h>

#include <new>

namespace simt {
namespace {

constexpr std::size_t page_size = 4096, stack_size = 64 * page_size;  // pages that are never touched cost nothing

Fiber* started = nullptr;

void* scheduler_context = nullptr;  // of the thread sanitizer

/// A function of its own: __builtin_longjmp must not lead to where it stands.
[[noreturn, gnu::noinline]] void jump(void** to) { __builtin_longjmp(to, 1); }

}  // namespace

Fiber::Fiber(void (*work)(), std::size_t number) : work_(work) {
  void* memory = mmap(nullptr, page_size + stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, page_size, PROT_NONE);  // an overflow faults
  stack_ = static_cast<char*>(memory) + page_size;
  context_ = sanitizers::create("thread " + std::to_string(number));

  ucontext_t first{};
  getcontext(&first);
  first.uc_stack.ss_sp = stack_;
  first.uc_stack.ss_size = stack_size - number % 32 * 128;
  makecontext(&first, &Fiber::start, 0);
  enter(first);
}

Fiber::~Fiber() { munmap(stack_ - page_size, page_size + stack_size); }

/// Leads to `start`, which comes back once it can be resumed. setcontext alone: the address sanitizer disapproves of
/// swapcontext.
[[gnu::noinline]] void Fiber::enter(const ucontext_t& first) {
  started = this;
  if (__builtin_setjmp(outside_) == 0) setcontext(&first);
}

[[gnu::noinline]] void Fiber::switch_stacks(Registers& from, Registers& to) {
  if (__builtin_setjmp(from) == 0) jump(to);
}

void Fiber::start() {
  Fiber* const self = started;
  switch_stacks(self->inside_, self->outside_);
  sanitizers::enter_stack(self->inside_fake_, &self->outside_stack_, &self->outside_size_);
  for (;;) {
    self->work_();
    self->suspend();
  }
}

void Fiber::resume() {
  scheduler_context = sanitizers::current();
  sanitizers::leave_stack(&outside_fake_, stack_, stack_size);
  sanitizers::become(context_);
  switch_stacks(outside_, inside_);
  sanitizers::enter_stack(outside_fake_, nullptr, nullptr);
}

void Fiber::suspend() {
  sanitizers::leave_stack(&inside_fake_, outside_stack_, outside_size_);
  sanitizers::become(scheduler_context);
  switch_stacks(inside_, outside_);
  sanitizers::enter_stack(inside_fake_, &outside_stack_, &outside_size_);
}

}  // namespace simt
