// One block of CUDA threads: which may run, and what the others wait for.
#pragma once

#include "fiber.hpp"
#include "launch.hpp"

#include <simt/warp.h>

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace simt {

inline constexpr unsigned lanes = 32;

struct Thread {
  enum class State { ready, at_barrier, at_collective, released, done };

  uint3 index{};
  Fiber* fiber = nullptr;
  State state = State::ready;
  Operation operation{};  ///< from here on: what it waits for
  unsigned mask = 0;
  Contribution part;
  Where where;
  std::uint64_t result = 0;
};

/// Threads that may run. Each is in it at most once, so that it never grows: a thread that allocated would be seen
/// racing by the thread sanitizer.
class Ready {
 public:
  explicit Ready(unsigned threads) : numbers_(threads) {}

  bool empty() const { return count_ == 0; }
  void push(unsigned number) { at(count_++) = number; }
  unsigned pop_first() {
    --count_;
    return numbers_[first_++ % numbers_.size()];
  }
  unsigned pop_any(std::mt19937_64& random) {
    std::swap(at(0), at(random() % count_));
    return pop_first();
  }

 private:
  unsigned& at(std::uint64_t position) { return numbers_[(first_ + position) % numbers_.size()]; }

  std::vector<unsigned> numbers_;
  std::uint64_t first_ = 0, count_ = 0;
};

class Block {
 public:
  Block(const Launch& launch, std::mt19937_64& random);
  ~Block();

  void run(uint3 index);

  // Called by the running thread. They return when it goes on.
  int barrier(Operation operation, int predicate, Where where);
  std::uint64_t collective(Operation operation, unsigned mask, Contribution mine, Where where);
  void spend_atomic();

  /// Null before the first thread runs.
  const Thread* running() const { return running_; }

 private:
  static void run_thread();

  void resume(Thread& thread);
  void enqueue(std::span<Thread> threads);
  void complete_barrier();
  void complete_collective(std::span<Thread> warp);
  [[noreturn]] void report_stuck();

  unsigned number_of(const Thread& thread) const { return unsigned(&thread - threads_.data()); }
  std::span<Thread> warp_of(const Thread& thread);

  const Launch& launch_;
  std::mt19937_64& random_;
  std::vector<Thread> threads_;
  Ready ready_;
  std::vector<unsigned> waiting_;  // at a collective: the lanes of each warp
  unsigned at_barrier_ = 0, done_ = 0, runs_ = 0;
  unsigned atomics_left_ = 0;  // of the running thread, before it lets others go first
  std::int64_t atomics_ = 0;   // allotted since a thread last arrived anywhere
  Thread* running_ = nullptr;
};

/// The block that is running, or null.
extern Block* running_block;

/// `action` is done by the fiber, as the thread sanitizer sees it.
template <class Action>
void as(const Fiber& fiber, Action action) {
  void* self = sanitizers::current();
  sanitizers::become(fiber.context());
  action();
  sanitizers::become(self);
}

/// The result of each lane in the mask of a collective that is complete.
void resolve(Operation operation, unsigned mask, std::span<Thread> warp);

}  // namespace simt
