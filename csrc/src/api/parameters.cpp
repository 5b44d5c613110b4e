#include <prunecell/parameters.hpp>

#include "api/check.hpp"

namespace prunecell {
namespace {

template <class Value>
const char* word_of(Value given) {
  for (const auto& [value, word] : words<Value>)
    if (value == given) return word;
  return "?";
}

template <class Value>
const char* parameter_of() {
  for (const ParameterRow& row : parameter_table)
    if (std::holds_alternative<accepted::OneOf<Value>>(row.accepts)) return row.name;
  return "?";
}

struct Check {
  const char* name;
  const Parameters& parameters;

  void operator()(accepted::Share share) const { check_share(name, parameters.*share.member); }
  void operator()(accepted::Step step) const { check_delta(name, parameters.*step.member); }
  void operator()(accepted::Count count) const { check_not_negative(name, parameters.*count.member); }
  void operator()(auto) const {}  // whatever the type holds
};

struct Text {
  const Parameters& parameters;

  std::string operator()(accepted::Flag flag) const { return parameters.*flag.member ? "True" : "False"; }
  template <class Value>
  std::string operator()(accepted::OneOf<Value> word) const {
    return name(parameters.*word.member);
  }
  std::string operator()(auto number) const { return to_text(parameters.*number.member); }
};

}  // namespace

const char* name(Mode mode) { return word_of(mode); }
const char* name(Filler filler) { return word_of(filler); }
const char* name(Ties ties) { return word_of(ties); }

template <class Value>
Value parse(const std::string& given) {
  std::string legal;
  for (const auto& [value, word] : words<Value>) {
    if (given == word) return value;
    legal += (legal.empty() ? "" : ", ") + std::string(word);
  }
  refuse(parameter_of<Value>(), "one of " + legal, "'" + given + "'");
}

template Mode parse<Mode>(const std::string&);
template Filler parse<Filler>(const std::string&);
template Ties parse<Ties>(const std::string&);

void validate(const Parameters& parameters) {
  for (const ParameterRow& row : parameter_table) std::visit(Check{row.name, parameters}, row.accepts);
}

Rule rule_of(const Parameters& parameters, float threshold, std::uint64_t seed, std::uint32_t tensor,
             std::uint32_t rise) {
  switch (parameters.filler) {
    case Filler::none: break;
    case Filler::random: return Random{threshold, seed, tensor, rise};
    case Filler::iter_nonstruct: return IterNonStruct{threshold, semantics::f32(parameters.delta), parameters.ties};
  }
  return None{};
}

std::vector<std::string> differences(const Parameters& theirs, const Parameters& ours) {
  std::vector<std::string> out;
  for (const ParameterRow& row : parameter_table) {
    const bool same = std::visit([&](auto as) { return theirs.*as.member == ours.*as.member; }, row.accepts);
    if (same) continue;
    const auto text = [&](const Parameters& parameters) { return std::visit(Text{parameters}, row.accepts); };
    out.push_back(std::string(row.name) + ": " + text(theirs) + ", here " + text(ours));
  }
  return out;
}

}  // namespace prunecell
