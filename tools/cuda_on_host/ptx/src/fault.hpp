// Messages of faults: the fault, its place in the text, and the thread.
#pragma once

#include "instruction.hpp"

#include <string>

namespace ptx {

struct Source;

/// A fault of a running thread, at the instruction given.
[[noreturn]] void fault(const Thread& thread, const Instruction& at, const std::string& kind,
                        const std::string& detail = "");

/// A fault in the text.
[[noreturn]] void fault(const Source& source, unsigned line, const std::string& kind, const std::string& detail = "");

/// A fault of the launch.
[[noreturn]] void fault(const std::string& kind, const std::string& detail);

/// A line of the text, with its place.
std::string quote(const Source& source, unsigned line);

std::string describe_thread(const Thread& thread);

}  // namespace ptx
