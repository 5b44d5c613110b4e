// One block of threads, executed instruction by instruction.
#pragma once

#include "module.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ptx {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  unsigned count() const { return x * y * z; }
};

/// Addresses that may be read and written, up to but without `end`.
struct Range {
  std::uint64_t begin = 0, end = 0;
};

/// The range around an address; an empty one where there is none.
using FindRange = std::function<Range(std::uint64_t)>;

inline constexpr unsigned lanes = 32;

class Block {
 public:
  Block(const Entry& entry, std::span<const std::byte> parameters, Dim3 grid, Dim3 block, FindRange find_range);

  void run(Dim3 index);

  const Entry& entry() const { return entry_; }
  Dim3 index() const { return index_; }
  Dim3 thread_index(unsigned number) const;

  // The address of an access of a thread. They abort where the access is not allowed.
  const std::byte* parameter(const Thread& thread, const Instruction& at, std::uint64_t address, unsigned size) const;
  std::byte* shared(const Thread& thread, const Instruction& at, std::uint32_t address, unsigned size);
  std::byte* global(const Thread& thread, const Instruction& at, std::uint64_t address, unsigned size);

 private:
  void start_threads();
  bool run_warp(std::span<Thread> warp);
  void complete_barrier();
  [[noreturn]] void report_stuck() const;

  const Entry& entry_;
  std::span<const std::byte> parameters_;
  Dim3 grid_, block_, index_;
  FindRange find_range_;
  std::vector<Thread> threads_;
  std::vector<std::byte> shared_;
  std::vector<bool> shared_allowed_;
  std::array<Range, 64> ranges_;  // found last, by the line of the instruction
};

}  // namespace ptx
