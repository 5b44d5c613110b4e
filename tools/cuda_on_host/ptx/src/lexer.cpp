#include "lexer.hpp"

#include "fault.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace ptx {
namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::optional<std::uint64_t> number(const std::string& text) {
  if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0]))) return {};
  const bool prefixed = text.size() > 2 && text[0] == '0' && std::string("xfd").find(text[1]) != std::string::npos;
  const char *begin = text.data() + (prefixed ? 2 : 0), *end = text.data() + text.size();
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value, prefixed ? 16 : 10);
  if (stop != end || error != std::errc()) return {};
  return value;
}

}  // namespace

Lexer::Lexer(const Source& source) : source_(source) {
  unsigned number = 0;
  for (const std::string& line : source.lines) {
    ++number;
    for (std::size_t begin = 0, end; begin < line.size(); begin = end) {
      end = begin + 1;
      const char first = line[begin];
      if (std::isspace(static_cast<unsigned char>(first))) continue;
      if (line.compare(begin, 2, "//") == 0) break;
      if (first == '"') end = line.find('"', end) + 1;
      if (line.compare(begin, 2, "/*") == 0 || end == 0) fault(source, number, "unknown syntax");
      if (in_word(first))
        while (end < line.size() && in_word(line[end])) ++end;
      tokens_.push_back({line.substr(begin, end - begin), number});
    }
  }
  tokens_.push_back({"", number});
}

const std::string& Lexer::after_next() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)].text; }

std::string Lexer::take() {
  if (next().empty()) unknown("end");
  return tokens_[position_++].text;
}

bool Lexer::accept(const std::string& text) {
  if (next() != text) return false;
  ++position_;
  return true;
}

void Lexer::expect(const std::string& text) {
  if (!accept(text)) unknown("syntax, not " + text);
}

bool Lexer::at_number() const { return next() == "-" || number(next()); }

std::uint64_t Lexer::take_number() {
  const bool negative = accept("-");
  const auto value = number(next());
  if (!value) unknown("number");
  ++position_;
  return negative ? 0 - *value : *value;
}

void Lexer::unknown(const std::string& what) const { fault(source_, line(), "unknown " + what, next()); }

}  // namespace ptx
