// The two steps of building masks: decide them all, then commit. Between the two nothing of the caller's has changed,
// but the bits of masks that are told to be new.
#pragma once

#include "api/backend.hpp"
#include "cpu/kth_smallest/search.hpp"
#include "cpu/memory/arena.hpp"
#include "cpu/memory/memory_order.hpp"
#include "fillers/fillers.hpp"

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

/// Where the words of each mask that is found are to lie: in the mask itself if it is new, else in scratch, so that a
/// failing call keeps the mask in force.
class FoundWords {
 public:
  FoundWords(std::span<const RebuildJob> jobs, const RankedInMemoryOrder& in_order)
      : jobs_(jobs), in_order_(in_order) {}

  std::size_t scratch_bytes() const {
    std::size_t bytes = 0;
    for (std::size_t j = 0; j < jobs_.size(); ++j) bytes += Arena::size_of<std::uint32_t>(scratch(j));
    return bytes;
  }
  void place(Decided& decided) const {
    decided.words.reserve(jobs_.size());
    decided.in_memory_order.reserve(jobs_.size());
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      const std::size_t count = scratch(j);
      decided.words.push_back(in_mask(j) ? jobs_[j].mask.words : decided.arena.take<std::uint32_t>(count).data());
      decided.in_memory_order.push_back(in_order_.moved(j));
    }
    decided.decisions.resize(jobs_.size());
  }

 private:
  bool in_mask(std::size_t j) const { return jobs_[j].mask_is_new && !in_order_.moved(j); }
  std::size_t scratch(std::size_t j) const { return std::size_t(in_mask(j) ? 0 : word_count(jobs_[j].mask.size)); }

  std::span<const RebuildJob> jobs_;
  const RankedInMemoryOrder& in_order_;
};

inline std::vector<Ranked> ranked_of(std::span<const RebuildJob> jobs) {
  std::vector<Ranked> ranked;
  ranked.reserve(jobs.size());
  for (const RebuildJob& job : jobs) ranked.push_back({job.weights, job.old, selection_of(job.rule)});
  return ranked;
}

/// By the rules. Throws UnreachableThreshold.
Decided decide(const Context& context, std::span<const RebuildJob> jobs);

/// Writes the masks, and applies them where asked. Fills the results.
void commit(const Context& context, std::span<const RebuildJob> jobs, const Decided& decided, std::span<Result> results,
            Apply apply);

}  // namespace prunecell::cpu
