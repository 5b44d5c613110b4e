// The two steps of building masks: decide them all, then commit. Between the two nothing of the caller's has changed,
// but the bits of masks that are told to be new.
#pragma once

#include "api/backend.hpp"
#include "cpu/kth_smallest/search.hpp"
#include "cpu/memory/arena.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

/// The masks of a call, decided.
struct Decided {
  Arena arena;                             ///< holds the words of masks that are not new
  std::vector<std::uint32_t*> words = {};  ///< of each mask that is found
  std::vector<Decision> decisions = {};
  std::vector<bool> in_memory_order = {};  ///< whether the bits of these words come in the order of memory

  bool found(std::size_t job) const { return decisions[job].kind == Decision::Kind::found; }
  /// Whether the words have to be brought to the logical order.
  bool found_moved(std::size_t job) const { return found(job) && in_memory_order[job]; }
};

/// By the rules. Throws UnreachableThreshold.
Decided decide(const Context& context, std::span<const RebuildJob> jobs);
/// By limits that are known, one per job.
Decided decide_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits);

/// Writes the masks, and applies them where asked. Fills the results.
void commit(const Context& context, std::span<const RebuildJob> jobs, const Decided& decided, std::span<Result> results,
            Apply apply);

}  // namespace prunecell::cpu
