#include "fault.hpp"
#include "lexer.hpp"
#include "module.hpp"
#include "names.hpp"
#include "steps.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <sstream>
#include <unordered_map>

namespace ptx {
namespace {

constexpr std::uint32_t gap = 16;  // between shared variables: the widest access

class Parser {
 public:
  explicit Parser(std::shared_ptr<const Source> source) : source_(std::move(source)), lexer_(*source_) {}

  std::vector<Entry> module() {
    std::vector<Entry> entries;
    while (!lexer_.next().empty()) {
      if (lexer_.accept(".version") || lexer_.accept(".target") || lexer_.accept(".address_size"))
        lexer_.take();
      else if (lexer_.accept(".shared"))
        add_shared(module_shared_);
      else if (lexer_.accept(".entry"))
        entries.push_back(entry());
      else if (!lexer_.accept(".visible") && !lexer_.accept(".weak"))
        lexer_.unknown("directive");
    }
    return entries;
  }

 private:
  /// `.align 8 .b8 name[64]`, placed behind `end`, which moves.
  Variable variable(std::uint32_t& end) {
    std::uint32_t alignment = lexer_.accept(".align") ? std::uint32_t(lexer_.take_number()) : 0;
    const std::string type = lexer_.take();
    const std::size_t digits = type.find_first_of("0123456789");
    if (digits == std::string::npos) lexer_.unknown("type");
    const auto item = std::uint32_t(std::stoul(type.substr(digits)) / 8);
    if (alignment == 0) alignment = item;
    if (lexer_.accept(".ptr")) {  // a hint about the memory that it points to
      lexer_.expect(".align");
      lexer_.take_number();
    }
    Variable made{lexer_.take(), (end + alignment - 1) / alignment * alignment, item};
    if (lexer_.accept("[")) {
      made.size *= std::uint32_t(lexer_.take_number());
      lexer_.expect("]");
    }
    end = made.offset + made.size;
    return made;
  }

  void add_shared(std::vector<Variable>& shared) {
    std::uint32_t end = gap + (shared.empty() ? 0 : shared.back().offset + shared.back().size);
    shared.push_back(variable(end));
    lexer_.expect(";");
  }

  Entry entry() {
    entry_ = {};
    names_ = {};
    labels_.clear();
    jumps_.clear();
    entry_.source = source_;
    entry_.name = demangled(lexer_.take());
    entry_.shared = module_shared_;
    lexer_.expect("(");
    while (!lexer_.accept(")")) {
      lexer_.expect(".param");
      entry_.parameters.push_back(variable(entry_.parameter_bytes));
      lexer_.accept(",");
    }
    launch_limits();
    body();
    for (const auto& [from, label] : jumps_) {
      if (!labels_.contains(label)) fault(*source_, entry_.code[from].line, "unknown label", label);
      entry_.code[from].offset = std::int64_t(labels_.at(label)) - std::int64_t(from);
    }
    names_.number_all(entry_);
    if (!entry_.shared.empty()) entry_.shared_bytes = entry_.shared.back().offset + entry_.shared.back().size;
    return std::move(entry_);
  }

  void launch_limits() {
    for (; lexer_.next() != "{"; lexer_.accept(",")) {
      if (lexer_.accept(".maxntid"))
        entry_.max_threads = unsigned(lexer_.take_number());
      else if (lexer_.at_number())  // its other dimensions
        entry_.max_threads *= unsigned(lexer_.take_number());
      else if (lexer_.accept(".minnctapersm"))
        lexer_.take_number();
      else
        lexer_.unknown("directive");
    }
  }

  void body() {
    lexer_.expect("{");
    for (int depth = 1; depth > 0;) {
      if (lexer_.accept("{"))
        ++depth;
      else if (lexer_.accept("}"))
        --depth;
      else if (lexer_.accept(".reg"))
        registers();
      else if (lexer_.accept(".shared"))
        add_shared(entry_.shared);
      else if (lexer_.accept(".pragma"))
        pragma();
      else if (lexer_.after_next() == ":")
        label();
      else
        instruction();
    }
    entry_.code.push_back({Steps::all().find("ret "), 0, lexer_.line(), {}});  // the target of a jump over the last one
  }

  void pragma() {
    lexer_.take();
    lexer_.expect(";");
  }

  void label() {
    labels_[lexer_.take()] = entry_.code.size();
    lexer_.expect(":");
  }

  void registers() {
    lexer_.take();  // the type: all have 64 bits
    do {
      const std::string name = lexer_.take();
      if (lexer_.accept("<")) {
        names_.declare(name, unsigned(lexer_.take_number()));
        lexer_.expect(">");
      } else {
        names_.declare(name);
      }
    } while (lexer_.accept(","));
    lexer_.expect(";");
  }

  void instruction() {
    made_ = {};
    made_.line = lexer_.line();
    count_ = 0;
    std::string form;
    if (lexer_.accept("@")) {
      form = lexer_.accept("!") ? "@!" : "@";
      operand();
      if (lexer_.next() != "bra") {  // jumps over the instruction if it shall not be
        Instruction skip = made_;
        skip.step = Steps::all().find(form == "@" ? "@!bra rl" : "@bra rl");
        skip.offset = 2;
        entry_.code.push_back(skip);
        form.clear();
        count_ = 0;
      }
    }
    form += lexer_.take() + (form.empty() ? " " : " r");
    if (lexer_.next() != ";") {
      do form += operands();
      while (lexer_.accept(","));
    }
    lexer_.expect(";");
    made_.step = Steps::all().find(form);
    if (!made_.step) fault(*source_, made_.line, "unknown instruction", form + ", in kernel " + entry_.name);
    entry_.code.push_back(made_);
  }

  /// Reads one operand, and gives its form.
  std::string operands() {
    if (lexer_.accept("{")) {
      std::string form = "{";
      do {
        form += "r";
        operand();
      } while (lexer_.accept(","));
      lexer_.expect("}");
      return form + "}";
    }
    if (lexer_.accept("[")) {
      operand();
      if (lexer_.accept("+")) made_.offset = std::int64_t(lexer_.take_number());
      lexer_.expect("]");
      return "a";
    }
    if (lexer_.next().starts_with("$")) {
      jumps_.emplace_back(entry_.code.size(), lexer_.take());
      return "l";
    }
    operand();
    if (!lexer_.accept("|")) return "r";
    operand();
    return "r|r";
  }

  /// A register, a number, or the address of a variable.
  void operand() {
    if (lexer_.at_number()) return set_operand(names_.constant(lexer_.take_number()));
    const std::string name = lexer_.take();
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
  Lexer lexer_;
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
