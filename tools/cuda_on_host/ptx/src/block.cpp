#include "block.hpp"

#include "fault.hpp"

#include <algorithm>

namespace ptx {
namespace {

using State = Thread::State;

constexpr std::byte fresh{0xcb};  // shared memory before the first write

/// Registers of all threads, kept from block to block: their pages are costly to get.
std::uint64_t* register_file(std::size_t count) {
  static std::vector<std::uint64_t> registers;
  if (registers.size() < count) registers.resize(count);
  return registers.data();
}

void execute(Thread& thread) {
  for (const Instruction* i = thread.at; i; i = i->step(i, thread)) continue;
}

bool at_same_collective(const Thread& a, const Thread& b) {
  return a.state == State::at_collective && b.state == State::at_collective && a.at == b.at && a.mask == b.mask;
}

/// The first lane of the mask that does not wait where `thread` does, or `lanes`.
unsigned missing_lane(const Thread& thread, std::span<const Thread> warp) {
  for (unsigned lane = 0; lane < lanes; ++lane)
    if (thread.mask >> lane & 1 && !(lane < warp.size() && at_same_collective(thread, warp[lane]))) return lane;
  return lanes;
}

void complete_collectives(std::span<Thread> warp) {
  for (Thread& thread : warp) {
    if (thread.state != State::at_collective || missing_lane(thread, warp) < lanes) continue;
    const unsigned mask = thread.mask;
    thread.resolve(warp, mask);
    for (unsigned lane = 0; lane < warp.size(); ++lane) {
      if (!(mask >> lane & 1)) continue;
      ++warp[lane].at;
      warp[lane].state = State::ready;
    }
  }
}

std::string whereabouts(const Thread& thread) {
  if (thread.state == State::done) return "has exited";
  return "is at " + quote(*thread.block->entry().source, thread.at->line);
}

template <class Threads>
Threads warp_at(Threads threads, std::size_t first) {
  return threads.subspan(first, std::min<std::size_t>(lanes, threads.size() - first));
}

}  // namespace

Block::Block(const Entry& entry, std::span<const std::byte> parameters, Dim3 grid, Dim3 block, FindRange find_range)
    : entry_(entry),
      parameters_(parameters),
      grid_(grid),
      block_(block),
      find_range_(std::move(find_range)),
      threads_(block.count()),
      shared_allowed_(entry.shared_bytes) {
  if (parameters.size() != entry.parameter_bytes)
    fault("wrong parameters", entry.name + " takes " + std::to_string(entry.parameter_bytes) + " bytes of them, not " +
                                  std::to_string(parameters.size()));
  if (threads_.size() > entry.max_threads)
    fault("too many threads", entry.name + " is compiled for blocks of " + std::to_string(entry.max_threads) +
                                  ", not of " + std::to_string(threads_.size()));
  std::uint64_t* registers = register_file(threads_.size() * entry.registers);
  for (unsigned number = 0; number < threads_.size(); ++number, registers += entry.registers) {
    threads_[number].registers = Registers(registers);
    threads_[number].number = number;
    threads_[number].block = this;
    std::ranges::copy(entry.constants, registers + special_registers.size());
  }
  for (const Variable& variable : entry.shared)
    std::fill_n(shared_allowed_.begin() + variable.offset, variable.size, true);
}

Dim3 Block::thread_index(unsigned number) const {
  return {number % block_.x, number / block_.x % block_.y, number / block_.x / block_.y};
}

void Block::run(Dim3 index) {
  index_ = index;
  shared_.assign(entry_.shared_bytes, fresh);
  start_threads();
  const std::span<Thread> threads = threads_;
  while (std::ranges::any_of(threads, [](const Thread& thread) { return thread.state != State::done; })) {
    bool progress = false;
    for (std::size_t first = 0; first < threads.size(); first += lanes) progress |= run_warp(warp_at(threads, first));
    if (!progress) complete_barrier();
  }
}

void Block::start_threads() {
  for (Thread& thread : threads_) {
    std::uint16_t number = 0;
    for (const Dim3 value : {thread_index(thread.number), block_, index_, grid_})
      for (const unsigned each : {value.x, value.y, value.z}) thread.registers.set(number++, each);
    thread.registers.set(number, thread.number % lanes);
    thread.at = entry_.code.data();
    thread.state = State::ready;
  }
}

/// Runs until all lanes are done or wait for other warps. Returns whether any did something.
bool Block::run_warp(std::span<Thread> warp) {
  const auto is_ready = [](const Thread& thread) { return thread.state == State::ready; };
  if (std::ranges::none_of(warp, is_ready)) return false;
  do {
    for (Thread& thread : warp)
      if (is_ready(thread)) execute(thread);
    complete_collectives(warp);
  } while (std::ranges::any_of(warp, is_ready));
  return true;
}

void Block::complete_barrier() {
  const auto waits_there = [&](const Thread& thread) {
    return thread.state == State::at_barrier && thread.at == threads_[0].at;
  };
  if (!std::ranges::all_of(threads_, waits_there)) report_stuck();
  for (Thread& thread : threads_) {
    ++thread.at;
    thread.state = State::ready;
  }
}

/// No thread can run, and not all are done: a thread waits for another that will not come.
void Block::report_stuck() const {
  const std::span<const Thread> threads = threads_;
  for (const Thread& thread : threads) {
    if (thread.state != State::at_collective) continue;
    const auto warp = warp_at(threads, thread.number / lanes * lanes);
    const unsigned lane = missing_lane(thread, warp);
    fault(thread, *thread.at, "collective divergence",
          "waits for lane " + std::to_string(lane) + ", which " +
              (lane < warp.size() ? whereabouts(warp[lane]) : "does not exist"));
  }
  for (const Thread& waiting : threads)
    for (const Thread& other : threads)
      if (waiting.state == State::at_barrier && (other.state == State::done || other.at != waiting.at))
        fault(waiting, *waiting.at, "barrier divergence", "but " + describe_thread(other) + " " + whereabouts(other));
  fault("scheduler error", "threads are neither waiting nor done");
}

const std::byte* Block::parameter(const Thread& thread, const Instruction& at, std::uint64_t address,
                                  unsigned size) const {
  if (address > parameters_.size() || size > parameters_.size() - address)
    fault(thread, at, "access beside the parameters");
  return &parameters_[address];
}

std::byte* Block::shared(const Thread& thread, const Instruction& at, std::uint32_t address, unsigned size) {
  // Between variables there is room for the widest access: an access over an edge then ends where none is allowed.
  const std::uint64_t last = std::uint64_t(address) + size - 1;
  if (last >= shared_.size() || !shared_allowed_[address] || !shared_allowed_[last])
    fault(thread, at, "access beside a shared variable");
  return &shared_[address];
}

std::byte* Block::global(const Thread& thread, const Instruction& at, std::uint64_t address, unsigned size) {
  Range& range = ranges_[at.line % ranges_.size()];
  const auto inside = [&] { return address >= range.begin && address < range.end && size <= range.end - address; };
  if (!inside()) range = find_range_(address);
  if (!inside()) fault(thread, at, "access outside of global memory");
  return reinterpret_cast<std::byte*>(address);
}

}  // namespace ptx
