// An instruction as it is executed: its function and its registers.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace ptx {

class Block;
struct Instruction;

/// The registers of a thread, 64 bits each whatever their type. Constants and special registers are among them, so that
/// an operand is a number in any case.
class Registers {
 public:
  explicit Registers(std::uint64_t* first = nullptr) : first_(first) {}

  template <class T>
  T get(std::uint16_t number) const {
    if constexpr (std::is_same_v<T, bool>) {
      return first_[number] != 0;
    } else {
      T value;
      std::memcpy(&value, &first_[number], sizeof value);
      return value;
    }
  }

  /// Integers are extended as their type says, which is what a wider register holds after a narrow load.
  template <class T>
  void set(std::uint16_t number, T value) {
    if constexpr (std::is_integral_v<T>) {
      first_[number] = static_cast<std::uint64_t>(value);
    } else {
      first_[number] = 0;
      std::memcpy(&first_[number], &value, sizeof value);
    }
  }

 private:
  std::uint64_t* first_;
};

struct Thread;

/// Brings the results of a collective whose lanes, those of the mask, have all come.
using Resolve = void (*)(std::span<Thread> warp, unsigned mask);

struct Thread {
  enum class State : std::uint8_t { ready, at_barrier, at_collective, done };

  Registers registers;
  const Instruction* at = nullptr;  ///< the next instruction, or the one that it waits at
  Block* block = nullptr;
  unsigned number = 0;
  unsigned mask = 0;  ///< of the collective that it waits at
  Resolve resolve = nullptr;
  State state = State::ready;
};

/// Executes an instruction and gives the next one, or null where the thread stops.
using Step = const Instruction* (*)(const Instruction*, Thread&);

struct Instruction {
  static constexpr int max_operands = 6;

  Step step = nullptr;
  std::int64_t offset = 0;  ///< of an address in bytes, of a branch in instructions
  std::uint32_t line = 0;   ///< in the text
  std::uint16_t operand[max_operands] = {};
};

}  // namespace ptx
