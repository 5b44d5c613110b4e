// PruneCell: a schedule and the masks of one or more weight tensors. It never owns weights: each call
// takes views of them, one CellTensor per tensor in the order of add_tensor().
//
//   PruneCell cell({.mode = Mode::gradual, .filler = Filler::iter_nonstruct, .threshold = 0.9});
//   cell.add_tensor({64, 32, 3, 3}, "conv1");
//   cell.initialize(context, tensors);
//   for each batch: cell.propagate(context, tensors);      forward
//                   cell.back_propagate(context, tensors); backward, after the gradients are there
//                   cell.update(context, tensors, batch_size); after the optimizer's step
//   at the end of an epoch: cell.end_epoch(context, tensors);
//
// On a CUDA device no call waits. Masks lie where the weights lie, and move there with the next call that lists them. A
// rise is counted when it is asked for; where its threshold turns out to be unreachable, the device has written
// nothing, and the next call that asks what became of it (wait, figures, save, set_mask, initialize, another rise)
// throws, the cells of the call being as before it. Each call takes effect in the order of its stream.
//
// A cell holds no lock: one thread at a time calls it, const members too, which may take over the results of a rebuild.
// Different cells may be called by different threads. (The Python class locks: there, threads may share a cell.)
#pragma once

#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>
#include <prunecell/schedule.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prunecell {

/// The memory of one tensor during one call. All views have the tensor's size; weights and pruned share dtype
/// and layout.
struct CellTensor {
  TensorView weights;        ///< all calls but back_propagate
  TensorView gradient = {};  ///< back_propagate alone; no data: none
  TensorView pruned = {};    ///< buffer of pruned weights; required where the cell is not in place
};

/// What a rebuild asked for and reached, for one tensor.
struct Figures {
  std::int64_t size = 0;
  std::int64_t zeros = 0;  ///< pruned weights
  std::int64_t level = 0;  ///< k of IterNonStruct at the last rebuild
  float asked = 0;         ///< threshold of the last rebuild
  bool tied = false;       ///< Ties::keep: it would have pruned all weights, and left the mask as it was

  void take(const Result& result) {
    zeros = result.zeros;
    level = result.level;
    tied = result.tied;
  }
  double reached() const { return size ? double(zeros) / double(size) : 0; }
  double overshoot() const { return reached() - asked; }
};

/// All that a cell needs to continue: see PruneCell::save().
struct CellState {
  static constexpr std::int64_t current_format = 2;  ///< 1, of earlier releases, loads too
  struct Tensor {
    Shape shape;
    Figures figures;
    bool initialized = true;
    std::vector<std::byte> mask;  ///< saved form (mask.hpp); empty in mode Identity and where not initialized
  };
  std::int64_t format = current_format;
  Parameters parameters;
  float current = 0;
  std::int64_t rises = 0;
  std::int64_t counter = 0;
  std::vector<Tensor> tensors;
};

class PruneCell {
 public:
  /// Throws InvalidArgument, see validate().
  explicit PruneCell(const Parameters& parameters) : schedule_(parameters) {}

  /// Registers a tensor and returns its number: that of a dropped one, where there is one. `name` stands in errors;
  /// where it is given, the seed of the Random filler is derive_seed(seed, name). A tensor added to an initialized
  /// cell gets its mask, at the current threshold, by the next initialize().
  std::size_t add_tensor(Shape shape, std::string name = {});

  /// The tensor takes no further part: its memory is gone. The others keep their numbers, and calls still list it
  /// until its number is given anew.
  void drop_tensor(std::size_t tensor);

  /// Builds and applies the masks of tensors that have none yet; changes nothing for the others.
  /// `reset`: starts the schedule over and builds all masks anew from the weights as they are.
  void initialize(const Context& context, std::span<const CellTensor> tensors, bool reset = false);

  /// In place: masks the weights. Out of place: fills the pruned buffers. Idempotent.
  void propagate(const Context& context, std::span<const CellTensor> tensors);

  /// Masks the gradients that are there.
  void back_propagate(const Context& context, std::span<const CellTensor> tensors);

  /// Counts `batch_size` samples, rebuilds the masks if a rise is due, and enforces them as propagate does.
  /// Where no rise is to come, masks that Ties::keep left alone are tried again, here and in end_epoch: with it, the
  /// first such call of a device waits for the rebuild before. Where nothing is rebuilt, `tensors` may be empty: then
  /// it only counts, for callers who know the weights masked.
  void update(const Context& context, std::span<const CellTensor> tensors, std::int64_t batch_size);

  /// Whether update(batch_size) is going to rebuild masks, and needs the tensors for it. Throws what wait() throws.
  bool due(std::int64_t batch_size) const;

  /// Whether no rise is to come that would try masks that Ties::keep left alone, so that update and end_epoch do. Waits
  /// where some may be, see wait().
  bool tries_again() const;

  /// One rise where stepsize is 0; enforces the masks as propagate does.
  void end_epoch(const Context& context, std::span<const CellTensor> tensors);

  /// Replaces a mask by the caller's. In place, the next rise only adds zeros to it.
  void set_mask(std::size_t tensor, const Mask& mask);

  /// The state as it is, also of a cell with tensors that are not initialized yet.
  CellState save() const;

  /// Continues from a state. Throws InvalidArgument, changing nothing, for another format, number or shape
  /// of tensors, a mask that does not fit its count, or other parameters, naming each; with
  /// `keep_parameters` the cell keeps its own and continues from the saved threshold.
  void load(const CellState& state, bool keep_parameters = false);

  bool initialized() const;
  const Schedule& schedule() const { return schedule_; }
  const Parameters& parameters() const { return schedule_.parameters(); }
  std::size_t tensor_count() const { return tensors_.size(); }
  const Shape& shape(std::size_t tensor) const { return at(tensor).shape; }
  const std::string& tensor_name(std::size_t tensor) const { return at(tensor).name; }
  /// Waits for the last rebuild and takes over its figures, or takes it back and throws UnreachableThreshold.
  void wait() const;
  /// After wait().
  const Figures& figures(std::size_t tensor) const;
  /// Those that are known now, without waiting.
  const Figures& known_figures(std::size_t tensor) const { return at(tensor).figures; }
  /// Whether results of a rebuild were taken over since this was asked last.
  bool take_news() const { return std::exchange(news_, false); }
  /// The mask in force; nullptr where none is built (mode Identity, or before initialize): all weights kept.
  const Mask* mask(std::size_t tensor) const;
  /// Times that masks were enforced since the schedule was last driven.
  std::int64_t idle_enforcements() const { return idle_enforcements_; }

 private:
  friend class CellPlan;
  friend void initialize(const Context&, std::span<const struct CellCall>, bool);
  friend void update(const Context&, std::span<const struct CellCall>, std::int64_t);
  friend void end_epoch(const Context&, std::span<const struct CellCall>);
  struct Tensor {
    Shape shape;
    std::string name;
    std::optional<Mask> mask;
    Figures figures;
    bool initialized = false;
    bool dropped = false;
  };

  /// A rebuild whose results are still on the device, and what it replaced.
  struct Pending {
    struct Entry {
      std::size_t tensor;
      Figures figures;
      bool initialized;
      bool fresh;  ///< had no mask
    };
    std::shared_ptr<const Ticket> ticket;
    std::size_t first;  ///< of the cell's results among those of the ticket
    Schedule schedule;
    std::vector<Entry> entries;
  };

  void take_back(const Pending& pending) const;
  void move_mask(std::size_t tensor, Device device);
  const Tensor& at(std::size_t tensor) const;
  std::string name_of(std::size_t tensor) const;
  void require_initialized(const char* call) const;
  void check_count(std::span<const CellTensor> tensors) const;
  void check_tensors(const Context& context, std::span<const CellTensor> tensors) const;
  void check_state(const CellState& state, bool keep_parameters) const;
  void enforce(const Context& context, std::size_t tensor, const CellTensor& memory, std::vector<Job>& jobs);

  // Mutable, since who asks for a figure first has to take over, or take back, what became of a rebuild.
  mutable Schedule schedule_;
  mutable std::deque<Tensor> tensors_;  ///< no vector: mask() hands out addresses, which add_tensor() must not move
  mutable std::optional<Pending> pending_;
  mutable bool news_ = false;
  std::int64_t idle_enforcements_ = 0;
};

/// A cell with its memory, for calls that serve many cells at once.
struct CellCall {
  PruneCell* cell;
  std::span<const CellTensor> tensors;
};

/// PruneCell::initialize, update and end_epoch for many cells: every level is decided before any cell, mask
/// or weight changes, and the work of all of them runs as one operation. A cell is to be listed once.
void initialize(const Context& context, std::span<const CellCall> calls, bool reset = false);
void update(const Context& context, std::span<const CellCall> calls, std::int64_t batch_size);
void end_epoch(const Context& context, std::span<const CellCall> calls);

}  // namespace prunecell
