#include "fault.hpp"
#include "lexer.hpp"
#include "module.hpp"
#include "names.hpp"
#include "steps.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <sstream>
#include <unordered_map>

namespace ptx {
namespace {

constexpr std::uint32_t gap = 16;  // between shared variables: the widest access

class Parser {
 public:
  explicit Parser(std::shared_ptr<const Source> source) : source_(std::move(source)), tokens_(tokens(*source_)) {}

  std::vector<Entry> module() {
    std::vector<Entry> entries;
    while (!next().empty()) {
      if (accept(".version") || accept(".target") || accept(".address_size"))
        take();
      else if (accept(".shared"))
        add_shared(module_shared_);
      else if (accept(".entry"))
        entries.push_back(entry());
      else if (!accept(".visible") && !accept(".weak"))
        unknown("directive");
    }
    return entries;
  }

 private:
  const std::string& next() const { return tokens_[position_].text; }
  std::string take() { return next().empty() ? unknown("end") : tokens_[position_++].text; }
  bool accept(const char* text) {
    if (next() != text) return false;
    ++position_;
    return true;
  }
  void expect(const char* text) {
    if (!accept(text)) unknown((std::string("syntax, not ") + text).c_str());
  }
  [[noreturn]] std::string unknown(const char* what) const {
    fault(*source_, tokens_[position_].line, std::string("unknown ") + what, next());
  }
  std::uint64_t take_number() {
    const bool negative = accept("-");
    const auto value = number(next());
    if (!value) unknown("number");
    ++position_;
    return negative ? 0 - *value : *value;
  }

  /// `.align 8 .b8 name[64]`, placed behind `end`, which moves.
  Variable variable(std::uint32_t& end) {
    std::uint32_t alignment = accept(".align") ? std::uint32_t(take_number()) : 0;
    const std::string type = take();
    const std::size_t digits = type.find_first_of("0123456789");
    if (digits == std::string::npos) unknown("type");
    const auto item = std::uint32_t(std::stoul(type.substr(digits)) / 8);
    if (alignment == 0) alignment = item;
    if (accept(".ptr")) {  // a hint about what it points to
      expect(".align");
      take_number();
    }
    Variable made{take(), (end + alignment - 1) / alignment * alignment, item};
    if (accept("[")) {
      made.size *= std::uint32_t(take_number());
      expect("]");
    }
    end = made.offset + made.size;
    return made;
  }

  void add_shared(std::vector<Variable>& shared) {
    std::uint32_t end = gap + (shared.empty() ? 0 : shared.back().offset + shared.back().size);
    shared.push_back(variable(end));
    expect(";");
  }

  Entry entry() {
    entry_ = {};
    names_ = {};
    labels_.clear();
    jumps_.clear();
    entry_.source = source_;
    entry_.name = demangled(take());
    entry_.shared = module_shared_;
    expect("(");
    while (!accept(")")) {
      expect(".param");
      entry_.parameters.push_back(variable(entry_.parameter_bytes));
      accept(",");
    }
    while (next() != "{")  // limits of the launch
      if (!next().starts_with(".max") && !next().starts_with(".min") && next() != "," && !number(next()))
        unknown("directive");
      else
        ++position_;
    body();
    for (const auto& [from, label] : jumps_) {
      if (!labels_.contains(label)) fault(*source_, entry_.code[from].line, "unknown label", label);
      entry_.code[from].offset = std::int64_t(labels_.at(label)) - std::int64_t(from);
    }
    names_.number_all(entry_);
    if (!entry_.shared.empty()) entry_.shared_bytes = entry_.shared.back().offset + entry_.shared.back().size;
    return std::move(entry_);
  }

  void body() {
    expect("{");
    for (int depth = 1; depth > 0;) {
      if (accept("{"))
        ++depth;
      else if (accept("}"))
        --depth;
      else if (accept(".reg"))
        registers();
      else if (accept(".shared"))
        add_shared(entry_.shared);
      else if (accept(".pragma"))
        position_ += 2;
      else if (tokens_[position_ + 1].text == ":")
        labels_[take()] = entry_.code.size(), expect(":");
      else
        instruction();
    }
  }

  void registers() {
    take();  // the type: all have 64 bits
    do {
      const std::string name = take();
      if (accept("<")) {
        names_.declare(name, unsigned(take_number()));
        expect(">");
      } else {
        names_.declare(name);
      }
    } while (accept(","));
    expect(";");
  }

  void instruction() {
    made_ = {};
    made_.line = tokens_[position_].line;
    count_ = 0;
    std::string form;
    if (accept("@")) {
      form = accept("!") ? "@!" : "@";
      operand();
      if (next() != "bra") {  // jumps over the instruction if it shall not be
        Instruction skip = made_;
        skip.step = Steps::all().find(form == "@" ? "@!bra rl" : "@bra rl");
        skip.offset = 2;
        entry_.code.push_back(skip);
        form.clear();
        count_ = 0;
      }
    }
    form += take() + (form.empty() ? " " : " r");
    if (next() != ";") {
      do form += operands();
      while (accept(","));
    }
    expect(";");
    made_.step = Steps::all().find(form);
    if (!made_.step) fault(*source_, made_.line, "unknown instruction", form + ", in kernel " + entry_.name);
    entry_.code.push_back(made_);
  }

  /// Reads one operand, and gives its form.
  std::string operands() {
    if (accept("{")) {
      std::string form = "{";
      do {
        form += "r";
        operand();
      } while (accept(","));
      expect("}");
      return form + "}";
    }
    if (accept("[")) {
      operand();
      if (accept("+")) made_.offset = std::int64_t(take_number());
      expect("]");
      return "a";
    }
    if (next().starts_with("$")) {
      jumps_.emplace_back(entry_.code.size(), take());
      return "l";
    }
    operand();
    if (!accept("|")) return "r";
    operand();
    return "r|r";
  }

  /// A register, a number, or the address of a variable.
  void operand() {
    if (next() == "-" || number(next())) return set_operand(names_.constant(take_number()));
    const std::string name = take();
    if (const auto found = names_.find(name)) return set_operand(*found);
    for (const auto* variables : {&entry_.parameters, &entry_.shared})
      for (const Variable& variable : *variables)
        if (variable.name == name) return set_operand(names_.constant(variable.offset));
    fault(*source_, made_.line, "unknown name", name);
  }

  void set_operand(std::uint16_t number) {
    if (count_ == Instruction::max_operands) fault(*source_, made_.line, "too many operands");
    made_.operand[count_++] = number;
  }

  std::shared_ptr<const Source> source_;
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  std::vector<Variable> module_shared_;
  Entry entry_;
  Names names_;
  std::unordered_map<std::string, std::size_t> labels_;
  std::vector<std::pair<std::size_t, std::string>> jumps_;  // from which instruction to which label
  Instruction made_;
  int count_ = 0;
};

}  // namespace

std::vector<Entry> parse(const std::string& file, const std::string& text) {
  Source source{file, {}};
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) source.lines.push_back(line);
  return Parser(std::make_shared<const Source>(std::move(source))).module();
}

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                          &std::free);
  return plain ? plain.get() : name;
}

}  // namespace ptx
