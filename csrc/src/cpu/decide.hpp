// The first half of a rebuild: which keys go, for every job of a call. Reads, never writes.
#pragma once

#include "../key_search.hpp"
#include "../unreachable.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

struct Decision {
  enum class Kind : std::uint8_t {
    keep_old,  ///< the mask is the old one
    prune_all,
    prune_up_to  ///< keys <= limit go, except `spared`
  };
  Kind kind = Kind::keep_old;
  std::int64_t need = 0;
  std::int64_t level = 0;
  std::uint32_t limit = 0;
  std::vector<std::int64_t> spared;  ///< Random: ascending indices of elements that tie with the last to go
};

/// Throws UnreachableThreshold.
std::vector<Decision> decide(const Context& context, std::span<const Job> jobs);

/// Counts of each job's keys in its bracket, in one parallel region over all jobs.
struct CountTask {
  const Job* job;
  KeyBracket bracket;
};
std::vector<KeyCounts> count_keys(const Context& context, std::span<const CountTask> tasks);

/// How many magnitudes of the job's weights lie within `last` and what the others are.
Census census(const Context& context, const Job& job, std::uint32_t last);

}  // namespace prunecell::cpu
