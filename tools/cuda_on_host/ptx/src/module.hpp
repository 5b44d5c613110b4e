// A PTX file, parsed: its kernels, ready to be executed.
#pragma once

#include "instruction.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ptx {

/// The special registers, which come first.
inline constexpr std::array<const char*, 13> special_registers = {
    "%tid.x",   "%tid.y",   "%tid.z",    "%ntid.x",   "%ntid.y",   "%ntid.z", "%ctaid.x",
    "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid"};

struct Source {
  std::string file;
  std::vector<std::string> lines;
};

/// A variable in one of the small memories: where it starts there.
struct Variable {
  std::string name;
  std::uint32_t offset = 0, size = 0;
};

struct Entry {
  std::string name;  ///< demangled
  std::shared_ptr<const Source> source;
  std::vector<Instruction> code;
  std::vector<std::uint64_t> constants;  ///< in the registers behind the special ones
  unsigned max_threads = 1024;           ///< of a block
  unsigned registers = 0;                ///< of a thread, all together
  std::vector<Variable> parameters, shared;
  std::uint32_t parameter_bytes = 0, shared_bytes = 0;
};

/// Aborts at an unknown instruction or directive, with its line.
std::vector<Entry> parse(const std::string& file, const std::string& text);

std::string demangled(const std::string& name);

}  // namespace ptx
