// Masks in the order in which their weights lie in memory. Building masks and applying them in place only ask that bits
// and weights come in the same order; bits are the fewer bytes, so that it is they that are moved.
#pragma once

#include "fillers/selection.hpp"

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

/// Copies of masks in the order of memory.
class MasksInMemoryOrder {
 public:
  /// The words of `mask`, where it has some, are to be those of a copy. Both stay where they are until run().
  void add(const Layout& layout, MaskView& mask) {
    if (mask.words) masks_.push_back({layout, &mask});
  }
  void run(const Context& context);

 private:
  struct Moved {
    Layout layout;
    MaskView* mask;
  };
  std::vector<Moved> masks_;
  std::unique_ptr<std::uint32_t[]> words_;
};

inline bool scattered(const TensorView& view) { return view.data && !view.layout.row_major(); }

/// Weights whose magnitudes are ranked, and their old masks, in the order of memory: row-major from now on. Numbers
/// are drawn by the logical index, so that weights ranked by them stay as they are.
class RankedInMemoryOrder {
 public:
  RankedInMemoryOrder(const Context& context, std::span<Ranked> ranked);
  /// Whether these weights have changed their order.
  bool moved(std::size_t number) const { return moved_[number]; }

 private:
  std::vector<bool> moved_;
  MasksInMemoryOrder old_;
};

/// Whether all tensors that a job works on with its mask lie in the same order.
bool alike(const ApplyJob& job);

/// The job with tensors that are read and written as they lie.
ApplyJob as_row_major(const ApplyJob& job);

/// Jobs whose tensors are alike, with their masks in the order of memory; the others as they are.
class ApplyInMemoryOrder {
 public:
  ApplyInMemoryOrder(const Context& context, std::span<const ApplyJob> jobs);
  std::span<const ApplyJob> jobs() const { return own_.empty() ? given_ : own_; }

 private:
  std::span<const ApplyJob> given_;
  std::vector<ApplyJob> own_;  ///< none where no job is moved
  MasksInMemoryOrder masks_;
};

}  // namespace prunecell::cpu
