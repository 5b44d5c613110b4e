// Refusals of bad arguments, worded in one place: what it is, what is accepted, what came.
#pragma once

#include <prunecell/error.hpp>

#include "text.hpp"

#include <cmath>
#include <string>

namespace prunecell {

[[noreturn]] inline void refuse(const std::string& what, const std::string& expected, const std::string& got) {
  throw InvalidArgument(what + ": expected " + expected + ", got " + got);
}

/// `value` as the caller gave it.
template <class Number>
void check_share(const std::string& what, Number value) {
  if (!(value >= 0 && value <= 1)) refuse(what, "a number from 0 to 1", to_text(value));
}

template <class Number>
void check_delta(const std::string& what, Number value) {
  if (!(float(value) > 0 && std::isfinite(float(value))))
    refuse(what, "a finite number above 0, as float32 too", to_text(value));
}

inline void check_not_negative(const std::string& what, std::int64_t value) {
  if (value < 0) refuse(what, "0 or more", to_text(value));
}

}  // namespace prunecell
