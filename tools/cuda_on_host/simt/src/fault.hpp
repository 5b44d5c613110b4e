// Messages of faults: the fault, its kernel, block and thread.
#pragma once

#include <simt/thread.h>

#include <csignal>
#include <string>

namespace simt {

struct Thread;

[[noreturn]] void fault(const Thread& thread, const char* kind, const std::string& detail);

/// A fault of the launch as a whole, or of the host.
[[noreturn]] void fault(const char* kind, const std::string& detail);

std::string describe(uint3 index);
std::string describe(Operation operation, const Where& where);
std::string describe(Operation operation, unsigned mask, const Where& where);

/// While this lives, a fatal signal is reported as a fault of the running thread. The address sanitizer reports its
/// own.
class FatalSignals {
 public:
  FatalSignals();
  ~FatalSignals();
  FatalSignals(const FatalSignals&) = delete;
  FatalSignals& operator=(const FatalSignals&) = delete;

 private:
  static constexpr int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
  struct sigaction before_[std::size(signals)];
  stack_t stack_before_;
};

}  // namespace simt
