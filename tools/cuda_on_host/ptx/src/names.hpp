// The names and constants of a kernel as numbers of registers.
#pragma once

#include "module.hpp"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace ptx {

class Names {
 public:
  Names();

  /// `%r<71>` declares %r0 to %r70.
  void declare(const std::string& name, unsigned count);
  void declare(const std::string& name) { numbers_.try_emplace(name, next_++); }

  /// The register of that name, if there is one.
  std::optional<std::uint16_t> find(const std::string& name);
  std::uint16_t constant(std::uint64_t value);

  /// Constants are known last and stand behind the special registers: gives all their numbers for good.
  void number_all(Entry& entry) const;

 private:
  static constexpr std::uint16_t is_constant = 0x8000;

  std::unordered_map<std::string, unsigned> families_;
  std::unordered_map<std::string, std::uint16_t> numbers_;
  std::map<std::uint64_t, std::uint16_t> constants_;
  std::uint16_t next_ = 0;
};

}  // namespace ptx
