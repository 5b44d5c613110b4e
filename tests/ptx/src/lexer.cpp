#include "lexer.hpp"

#include "fault.hpp"
#include "module.hpp"

#include <cctype>

namespace ptx {
namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

}  // namespace

std::vector<Token> tokens(const Source& source) {
  std::vector<Token> found;
  unsigned number = 0;
  for (const std::string& line : source.lines) {
    ++number;
    for (std::size_t begin = 0, end; begin < line.size(); begin = end) {
      end = begin + 1;
      const char first = line[begin];
      if (std::isspace(static_cast<unsigned char>(first))) continue;
      if (line.compare(begin, 2, "//") == 0) break;
      if (line.compare(begin, 2, "/*") == 0) fault(source, number, "unknown syntax");
      if (first == '"') end = line.find('"', end) + 1;
      if (first == '"' && end == 0) fault(source, number, "unknown syntax", "the string does not end");
      if (in_word(first))
        while (end < line.size() && in_word(line[end])) ++end;
      found.push_back({line.substr(begin, end - begin), number});
    }
  }
  found.push_back({"", number});
  return found;
}

}  // namespace ptx
