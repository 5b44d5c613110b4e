// The program or library that a kernel belongs to, as its ELF file describes it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace simt {

class Module {
 public:
  static const Module& of(const void* kernel);

  /// The variables declared __shared__, of all its kernels.
  const std::vector<std::span<char>>& shared_memory() const { return shared_memory_; }

  /// The demangled name of a function, local ones included.
  std::string name_of(const void* function) const;

 private:
  Module(std::string path, std::uintptr_t base);

  std::string path_;
  std::uintptr_t base_;
  std::vector<std::span<char>> shared_memory_;
};

}  // namespace simt
