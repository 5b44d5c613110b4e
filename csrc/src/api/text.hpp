// Numbers and names in messages.
#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace prunecell {

/// Shortest decimal text that reads back as the same number.
template <class Number>
std::string to_text(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// "tensor 'conv1'", or "tensor 3" where it has no name.
inline std::string tensor_name(std::string_view name, std::size_t number) {
  return name.empty() ? "tensor " + to_text(number) : "tensor '" + std::string(name) + "'";
}

}  // namespace prunecell
