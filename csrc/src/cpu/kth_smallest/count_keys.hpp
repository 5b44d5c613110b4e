// Counting keys by ranges: the rounds of a distributed search, and of a local one whose predictions failed.
#pragma once

#include "api/unreachable.hpp"
#include "fillers/selection.hpp"
#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

/// Counts of the keys of some weights in a bracket.
struct CountTask {
  const Ranked* ranked;
  KeyBracket bracket;
};
/// In one parallel region over all tasks.
std::vector<KeyCounts> count_keys(const Context& context, std::span<const CountTask> tasks);

/// Weights within the last level, whose key is given, and what the others are.
Census census(const Context& context, const Ranked& ranked, std::uint32_t last);

}  // namespace prunecell::cpu
