// Counting keys by ranges: the rounds of a distributed search, and of a local one whose guesses failed.
#pragma once

#include "api/unreachable.hpp"
#include "semantics/key_bracket.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

/// Counts of each job's keys in its bracket, in one parallel region over all jobs.
struct CountTask {
  const Job* job;
  KeyBracket bracket;
};
std::vector<KeyCounts> count_keys(const Context& context, std::span<const CountTask> tasks);

/// What the weights are with respect to the last level's key.
Census census(const Context& context, const Job& job, std::uint32_t last);

}  // namespace prunecell::cpu
