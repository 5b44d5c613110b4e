// PTX text, cut into words.
#pragma once

#include "module.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ptx {

/// Reads one token after the other: a word (opcode, name, number, directive), a string, or one sign. Aborts where a
/// token is not the expected one.
class Lexer {
 public:
  explicit Lexer(const Source& source);

  /// Empty at the end.
  const std::string& next() const { return tokens_[position_].text; }
  const std::string& after_next() const;
  unsigned line() const { return tokens_[position_].line; }

  std::string take();
  bool accept(const std::string& text);
  void expect(const std::string& text);

  bool at_number() const;
  /// Its bits, as PTX writes it: also in hexadecimal, or those of a float.
  std::uint64_t take_number();

  [[noreturn]] void unknown(const std::string& what) const;

 private:
  struct Token {
    std::string text;
    unsigned line = 0;
  };

  const Source& source_;
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
};

}  // namespace ptx
