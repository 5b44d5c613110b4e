// PTX text, cut into words.
#pragma once

#include <string>
#include <vector>

namespace ptx {

struct Source;

struct Token {
  std::string text;  ///< a word (opcode, name, number, directive), a string, or one sign
  unsigned line = 0;
};

/// The last token is empty.
std::vector<Token> tokens(const Source& source);

}  // namespace ptx
