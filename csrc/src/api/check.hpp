// Refusals of bad arguments, worded in one place: what it is, what is accepted, what came.
#pragma once

#include <prunecell/error.hpp>
#include <prunecell/ops.hpp>

#include "api/text.hpp"
#include "semantics/semantics.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace prunecell {

[[noreturn]] inline void refuse(const std::string& what, const std::string& expected, const std::string& got) {
  throw InvalidArgument(what + ": expected " + expected + ", got " + got);
}

/// A part of a tensor of a call. It becomes words where it is refused, not before: checks run for every tensor
/// of every call, and a text takes longer than they do.
struct Part {
  std::string_view tensor;  ///< its name; empty: it has none
  std::size_t number;
  const char* part;
  const char* detail = "";

  Part operator+(const char* text) const { return {tensor, number, part, text}; }
  operator std::string() const { return tensor_name(tensor, number) + ": " + part + detail; }
};

/// What is refused is given as a `Part` or as text; `value` as the caller gave it.
template <class What, class Number>
void check_share(const What& what, Number value) {
  if (!(value >= 0 && value <= 1)) refuse(what, "a number from 0 to 1", to_text(value));
}

template <class What, class Number>
void check_delta(const What& what, Number value) {
  const float rounded = std::is_same_v<Number, float> ? float(value) : semantics::f32(value);
  const auto bits = std::bit_cast<std::uint32_t>(rounded);  // a denormal may compare as 0
  if (bits == 0 || bits >= semantics::inf_key) refuse(what, "a finite number above 0, as float32 too", to_text(value));
}

template <class What>
void check_not_negative(const What& what, std::int64_t value) {
  if (value < 0) refuse(what, "0 or more", to_text(value));
}

/// A device that is there, and a number of threads.
void check_context(const Context& context);

/// Memory of the context's device, of a size and a layout that fit each other.
void check_view(const Part& what, const TensorView& view, const Context& context);

[[noreturn]] inline void refuse_values(const std::string& what, std::int64_t kept, std::int64_t got) {
  refuse(what, "the " + to_text(kept) + " weights that the mask keeps, one after the other", to_text(got));
}

}  // namespace prunecell
