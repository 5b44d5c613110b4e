// Masks in the order in which their weights lie in memory. Rebuilding and applying in place only ask that bits and
// weights come in the same order; bits are the fewer bytes, so that it is they that are moved.
#pragma once

#include <prunecell/ops.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace prunecell::cpu {

/// The bits of a mask, from one order to the other.
struct Reordering {
  Layout layout;
  std::int64_t size;  ///< bits
  const std::uint32_t* from;
  std::uint32_t* to;  ///< other memory
};
void to_memory_order(const Context& context, std::span<const Reordering> masks);
void to_logical_order(const Context& context, std::span<const Reordering> masks);

/// Whether all tensors that a job works on with its mask lie in the same order.
bool alike(const Job& job);
/// Such a job as if its tensors were row-major: its mask is to be in the order of memory.
Job as_row_major(const Job& job);

/// The jobs, those of scattered tensors as if they were row-major: with one of their masks in the order of memory.
class InMemoryOrder {
 public:
  /// `mask`: which of a job's masks goes with its weights. Where it is `old`, jobs of Random stay as they are, since it
  /// draws by the logical index; where it is `mask`, those whose tensors are not alike.
  InMemoryOrder(const Context& context, std::span<const Job> jobs, MaskView Job::*mask);

  std::span<const Job> jobs() const { return own_.empty() ? given_ : own_; }
  bool moved(std::size_t job) const {
    return !own_.empty() && own_[job].weights.layout.row_major() != given_[job].weights.layout.row_major();
  }

 private:
  std::span<const Job> given_;
  std::vector<Job> own_;  ///< none where no job is moved
  std::unique_ptr<std::uint32_t[]> words_;
};

}  // namespace prunecell::cpu
