#include "fault.hpp"

#include "block.hpp"

#include <cstdio>
#include <cstdlib>

namespace ptx {
namespace {

[[noreturn]] void abort_with(const std::string& text) {
  std::fprintf(stderr, "ptx: %s\n", text.c_str());
  std::abort();
}

std::string describe(Dim3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

std::string after_colon(const std::string& detail) { return detail.empty() ? "" : ": " + detail; }

}  // namespace

void fault(const Thread& thread, const Instruction& at, const std::string& kind, const std::string& detail) {
  const Entry& entry = thread.block->entry();
  abort_with(kind + " in kernel " + entry.name + ", block " + describe(thread.block->index()) + ", " +
             describe_thread(thread) + ", at " + quote(*entry.source, at.line) + after_colon(detail));
}

void fault(const Source& source, unsigned line, const std::string& kind, const std::string& detail) {
  abort_with(kind + ", at " + quote(source, line) + after_colon(detail));
}

void fault(const std::string& kind, const std::string& detail) { abort_with(kind + ": " + detail); }

std::string quote(const Source& source, unsigned line) {
  std::string text = source.lines[line - 1];
  text.erase(0, text.find_first_not_of(" \t"));
  for (char& each : text)
    if (each == '\t') each = ' ';
  return source.file + ":" + std::to_string(line) + " `" + text + "`";
}

std::string describe_thread(const Thread& thread) {
  return "thread " + describe(thread.block->thread_index(thread.number));
}

}  // namespace ptx
