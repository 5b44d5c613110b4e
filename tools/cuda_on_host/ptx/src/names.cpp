#include "names.hpp"

#include "fault.hpp"

namespace ptx {

Names::Names() {
  for (const char* name : special_registers) declare(name);
}

void Names::declare(const std::string& name, unsigned count) { families_[name] = count; }

std::optional<std::uint16_t> Names::find(const std::string& name) {
  if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;
  const auto family = families_.find(name.substr(0, digits));
  if (digits == name.size() || family == families_.end()) return {};
  if (std::stoul(name.substr(digits)) >= family->second) return {};
  declare(name);  // those that are used only, so that they lie close together
  return numbers_.at(name);
}

std::uint16_t Names::constant(std::uint64_t value) {
  return constants_.try_emplace(value, std::uint16_t(constants_.size() | is_constant)).first->second;
}

void Names::number_all(Entry& entry) const {
  const std::size_t special = special_registers.size();
  if (next_ + constants_.size() >= is_constant) fault("too many registers", entry.name);
  entry.constants.resize(constants_.size());
  for (const auto& [value, number] : constants_) entry.constants[number ^ is_constant] = value;
  for (Instruction& instruction : entry.code)
    for (std::uint16_t& operand : instruction.operand) {
      if (operand & is_constant)
        operand = std::uint16_t(special + (operand ^ is_constant));
      else if (operand >= special)
        operand = std::uint16_t(operand + constants_.size());
    }
  entry.registers = unsigned(next_ + constants_.size());
}

}  // namespace ptx
