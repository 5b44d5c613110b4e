// How threads meet: block barriers and warp collectives, and what happens where they miss each other.
#include "block.hpp"
#include "fault.hpp"

#include <cstring>
#include <utility>

namespace simt {
namespace {

using State = Thread::State;

bool same_place(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

bool same_collective(const Thread& a, const Thread& b) { return a.operation == b.operation && a.mask == b.mask; }

/// Everything that the released threads did comes before everything that they will do.
void order_memory(std::span<const Thread> threads) {
  if constexpr (sanitizers::threads) {
    static int token = 0;
    bool first = true;
    for (const Thread& thread : threads)
      if (thread.state == State::released)
        as(*thread.fiber, [&] {
          if (std::exchange(first, false))
            sanitizers::release_first(&token);
          else
            sanitizers::release(&token);
        });
    for (const Thread& thread : threads)
      if (thread.state == State::released) as(*thread.fiber, [&] { sanitizers::acquire(&token); });
  }
}

int combine(Operation operation, std::size_t ones, std::size_t all) {
  switch (operation) {
    case Operation::syncthreads_count: return int(ones);
    case Operation::syncthreads_and: return ones == all;
    case Operation::syncthreads_or: return ones != 0;
    default: return 0;
  }
}

/// The place of a thread that another one waits for, in words.
std::string whereabouts(const Thread& thread) {
  switch (thread.state) {
    case State::done: return "has exited";
    case State::at_barrier: return "is at " + describe(thread.operation, thread.where);
    default: return "is at " + describe(thread.operation, thread.mask, thread.where);
  }
}

}  // namespace

int Block::barrier(Operation operation, int predicate, Where where) {
  Thread& thread = *running_;
  thread.operation = operation;
  thread.part = {std::uint64_t(predicate != 0)};
  thread.where = where;
  thread.state = State::at_barrier;
  atomics_ = 0;
  if (++at_barrier_ == threads_.size()) complete_barrier();
  thread.fiber->suspend();
  return int(thread.result);
}

void Block::complete_barrier() {
  std::size_t ones = 0;
  for (const Thread& thread : threads_) {
    ones += thread.part.value;
    if (thread.operation != threads_[0].operation || !same_place(thread.where, threads_[0].where))
      fault(thread, "barrier divergence",
            "waits at " + describe(thread.operation, thread.where) + ", but thread " + describe(threads_[0].index) +
                " " + whereabouts(threads_[0]));
  }
  for (Thread& thread : threads_) {
    thread.result = std::uint64_t(combine(thread.operation, ones, threads_.size()));
    thread.state = State::released;
  }
  at_barrier_ = 0;
  order_memory(threads_);
  enqueue(threads_);
}

std::uint64_t Block::collective(Operation operation, unsigned mask, Contribution mine, Where where) {
  Thread& thread = *running_;
  thread.operation = operation;
  thread.mask = mask;
  thread.part = mine;
  thread.where = where;
  thread.state = State::at_collective;
  atomics_ = 0;
  if (!(mask >> number_of(thread) % lanes & 1))
    fault(thread, "lane outside its mask", describe(operation, mask, where) + " does not name the lane that calls it");
  if (mine.width < 1 || mine.width > int(lanes) || (mine.width & (mine.width - 1)))
    fault(thread, "bad shuffle", describe(operation, mask, where) + ": the width is no power of two up to 32");
  complete_collective(warp_of(thread));
  thread.fiber->suspend();
  return thread.result;
}

/// Completes the collective of the running thread if all its lanes are there.
void Block::complete_collective(std::span<Thread> warp) {
  const Thread& last = *running_;
  unsigned& waiting = waiting_[number_of(last) / lanes];
  waiting |= 1u << number_of(last) % lanes;
  if (last.mask & ~waiting) return;
  for (unsigned rest = last.mask; rest; rest &= rest - 1) {
    const unsigned lane = unsigned(__builtin_ctz(rest));
    if (!same_collective(warp[lane], last)) return;
  }
  waiting &= ~last.mask;
  resolve(last.operation, last.mask, warp);
  for (unsigned lane = 0; lane < warp.size(); ++lane)
    if (last.mask >> lane & 1) warp[lane].state = State::released;
  if (last.operation == Operation::syncwarp) order_memory(warp);  // no other one promises that
  enqueue(warp);
}

/// No thread can run, and not all are done: a thread waits for another that will not come.
void Block::report_stuck() {
  for (const Thread& thread : threads_) {
    if (thread.state != State::at_collective) continue;
    const std::span<Thread> warp = warp_of(thread);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (!(thread.mask >> lane & 1)) continue;
      if (lane < warp.size() && warp[lane].state == State::at_collective && same_collective(warp[lane], thread))
        continue;
      fault(thread, "collective divergence",
            "waits at " + describe(thread.operation, thread.mask, thread.where) + " for lane " + std::to_string(lane) +
                ", which " + (lane < warp.size() ? whereabouts(warp[lane]) : "does not exist"));
    }
  }
  for (const Thread& waiting : threads_)
    for (const Thread& other : threads_)
      if (waiting.state == State::at_barrier && other.state == State::done)
        fault(waiting, "barrier divergence",
              "waits at " + describe(waiting.operation, waiting.where) + ", but thread " + describe(other.index) + " " +
                  whereabouts(other));
  fault(threads_[0], "scheduler error", "threads are neither waiting nor done");
}

int block_barrier(Operation operation, int predicate, Where where) {
  if (!running_block) fault("outside of a kernel", describe(operation, where).c_str(), where);
  return running_block->barrier(operation, predicate, where);
}

std::uint64_t warp_collective(Operation operation, unsigned mask, Contribution mine, Where where) {
  if (!running_block) fault("outside of a kernel", describe(operation, where).c_str(), where);
  return running_block->collective(operation, mask, mine, where);
}

}  // namespace simt
