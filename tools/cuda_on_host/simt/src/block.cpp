#include "block.hpp"

#include "fault.hpp"

#include <simt/atomics.h>
#include <simt/control.hpp>

#include <algorithm>
#include <memory>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {

Block* running_block = nullptr;

namespace {

// For the thread sanitizer, whose threads are few, a thread of a block is also that of the next block but one. Those of
// neighbouring blocks are different, so that a race between blocks shows.
constexpr unsigned crews = sanitizers::threads ? 2 : 1;

constexpr std::int64_t patience = 1 << 26;  // atomics, before waiting for something is called endless

Fiber& fiber(unsigned crew, unsigned number, void (*work)()) {
  static std::vector<std::unique_ptr<Fiber>> pool[crews];
  while (pool[crew].size() <= number) pool[crew].push_back(std::make_unique<Fiber>(work, pool[crew].size()));
  return *pool[crew][number];
}

int launch_begin = 0, launch_end = 0, fences = 0;  // tokens of the thread sanitizer

}  // namespace

Block::Block(const Launch& launch, std::mt19937_64& random)
    : launch_(launch),
      random_(random),
      threads_(launch.threads()),
      ready_(launch.threads()),
      waiting_((launch.threads() + lanes - 1) / lanes) {
  running_block = this;
  sanitizers::release_first(&launch_begin);
}

Block::~Block() {
  for (unsigned crew = 0; crew < std::min(runs_, crews); ++crew)
    for (unsigned number = 0; number < threads_.size(); ++number)
      as(fiber(crew, number, &Block::run_thread), [] { sanitizers::release(&launch_end); });
  sanitizers::acquire(&launch_end);
  running_block = nullptr;
}

void Block::run(uint3 index) {
  blockIdx = index;
  at_barrier_ = done_ = 0;
  atomics_ = 0;
  const unsigned crew = runs_++ % crews;
  for (Thread& thread : threads_) {
    const unsigned number = number_of(thread), row = number / blockDim.x;
    thread.index = {number % blockDim.x, row % blockDim.y, row / blockDim.y};
    thread.fiber = &fiber(crew, number, &Block::run_thread);
    thread.state = Thread::State::released;
    if (runs_ <= crews) as(*thread.fiber, [] { sanitizers::acquire(&launch_begin); });
  }
  enqueue(threads_);
  while (!ready_.empty())
    resume(threads_[options().order == Order::random ? ready_.pop_any(random_) : ready_.pop_first()]);
  if (done_ != threads_.size()) report_stuck();
}

void Block::run_thread() {
  Block& block = *running_block;
  block.launch_.call.body();
  block.running_->state = Thread::State::done;
  ++block.done_;
  block.atomics_ = 0;
}

void Block::resume(Thread& thread) {
  running_ = &thread;
  threadIdx = thread.index;
  atomics_left_ = options().order == Order::random ? unsigned(random_() % 4) : 1 << 16;
  atomics_ += atomics_left_;
  thread.fiber->resume();
}

/// Those that are released may run, the first in order first.
void Block::enqueue(std::span<Thread> threads) {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    Thread& thread = threads[options().order == Order::reverse ? threads.size() - 1 - i : i];
    if (thread.state != Thread::State::released) continue;
    thread.state = Thread::State::ready;
    ready_.push(number_of(thread));
  }
}

void Block::spend_atomic() {
  if (atomics_left_-- > 0) return;
  if (atomics_ > patience)
    fault("endless wait", "this thread goes on with atomics, and no other one gets anywhere", running_->where);
  ready_.push(number_of(*running_));
  running_->fiber->suspend();
}

std::span<Thread> Block::warp_of(const Thread& thread) {
  const unsigned first = number_of(thread) / lanes * lanes;
  return std::span(threads_).subspan(first, std::min(lanes, unsigned(threads_.size()) - first));
}

void before_atomic() {
  if (running_block) running_block->spend_atomic();
}

void fence() {
  sanitizers::release(&fences);
  sanitizers::acquire(&fences);
}

}  // namespace simt
