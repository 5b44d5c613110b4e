#include "fault.hpp"

#include "block.hpp"
#include "module.hpp"

#include <simt/executor.hpp>

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace simt {
namespace {

constexpr const char* names[] = {"__syncthreads",     "__syncthreads_count", "__syncthreads_and", "__syncthreads_or",
                                 "__syncwarp",        "__ballot_sync",       "__all_sync",        "__any_sync",
                                 "__shfl_sync",       "__shfl_up_sync",      "__shfl_down_sync",  "__shfl_xor_sync",
                                 "__match_any_sync",  "__reduce_add_sync",   "__reduce_min_sync", "__reduce_max_sync",
                                 "__reduce_min_sync", "__reduce_max_sync",   "__reduce_and_sync", "__reduce_or_sync",
                                 "__reduce_xor_sync"};
static_assert(std::size(names) == std::size_t(Operation::reduce_xor) + 1);

std::string place(const Where& where) {
  if (where.line() == 0) return "";
  return " (" + std::string(where.file_name()) + ":" + std::to_string(where.line()) + ")";
}

[[noreturn]] void abort_with(const std::string& kind, const Thread* thread, const std::string& detail) {
  std::string text = "simt: " + kind;
  if (const Launch* launch = running_launch()) {
    text += " in kernel " + kernel_name(launch->call.kernel);
    if (thread) text += ", block " + describe(blockIdx) + ", thread " + describe(thread->index);
  }
  std::fprintf(stderr, "%s: %s\n", text.c_str(), detail.c_str());
  std::abort();
}

const Thread* running_thread() { return running_block ? running_block->running() : nullptr; }

/// Reads symbol tables and allocates, which a handler should not; the program is lost anyway, and its name helps.
void tell_signal(int signal, siginfo_t* info, void*) {
  char address[32];
  std::snprintf(address, sizeof address, "%p", info->si_addr);
  std::string detail = "invalid address " + std::string(address) + ", misaligned access or stack overflow";
  if (signal == SIGILL || signal == SIGTRAP)
    detail = "misaligned access, or a cast of a float to an integer that cannot hold it";
  if (signal == SIGFPE) detail = "integer division by zero";
  std::signal(SIGABRT, SIG_DFL);
  abort_with("fatal signal", running_thread(), detail);
}

}  // namespace

std::string describe(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

std::string describe(Operation operation, const Where& where) { return names[std::size_t(operation)] + place(where); }

std::string describe(Operation operation, unsigned mask, const Where& where) {
  char text[24];
  std::snprintf(text, sizeof text, "[mask 0x%08x]", mask);
  return std::string(names[std::size_t(operation)]) + text + place(where);
}

void fault(const Thread& thread, const char* kind, const std::string& detail) { abort_with(kind, &thread, detail); }

void fault(const char* kind, const std::string& detail) { abort_with(kind, nullptr, detail); }

void fault(const char* kind, const char* detail, Where where) {
  abort_with(kind, running_thread(), detail + place(where));
}

FatalSignals::FatalSignals() {
  if (sanitizers::addresses) return;
  static char stack[64 * 1024];  // of its own: that of the fiber may have overflown
  stack_t own{};
  own.ss_sp = stack;
  own.ss_size = sizeof stack;
  sigaltstack(&own, &stack_before_);
  struct sigaction action {};
  action.sa_sigaction = tell_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &action, &before_[i]);
}

FatalSignals::~FatalSignals() {
  if (sanitizers::addresses) return;
  for (std::size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &before_[i], nullptr);
  sigaltstack(&stack_before_, nullptr);
}

}  // namespace simt
