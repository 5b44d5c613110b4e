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
// nothing, and the next call that asks what became of it (wait, set_mask, initialize, another rise) throws, the cells
// of the call being as before it. Until then figures() and save() throw WrongState. Each call takes effect in the order
// of its stream.
//
// A cell holds no lock: while one thread calls a member that is not const, no other thread calls any. Different cells
// may be called by different threads. (The Python class locks: there, threads may share a cell.)
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

/// A mask update of one cell, planned: the masks to be built, and what the cell is once they are.
struct PlannedUpdate {
  struct Rebuilt {
    std::size_t tensor;
    std::optional<Mask> first_mask;  ///< of a tensor that has none yet
  };
  Schedule schedule;
  bool drives = false;  ///< update or end_epoch: it drives the schedule
  std::vector<Rebuilt> rebuilt = {};
  std::vector<RebuildJob> jobs = {};       ///< one per rebuilt tensor; none in mode Identity
  std::vector<std::size_t> enforced = {};  ///< tensors whose masks stay, and are enforced
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

  /// Whether update(batch_size) is going to rebuild masks, and needs the tensors for it. With Ties::keep it may wait,
  /// and throw what wait() throws.
  bool due(std::int64_t batch_size);

  /// One rise where stepsize is 0; enforces the masks as propagate does.
  void end_epoch(const Context& context, std::span<const CellTensor> tensors);

  /// Replaces a mask by the caller's. In place, the next rise only adds zeros to it.
  void set_mask(std::size_t tensor, const Mask& mask);

  /// The state as it is, also of a cell with tensors that are not initialized yet. Throws WrongState before wait().
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
  void wait();
  /// Throws WrongState before wait().
  const Figures& figures(std::size_t tensor) const;
  /// Those that are known now, without waiting.
  const Figures& known_figures(std::size_t tensor) const { return at(tensor).figures; }
  /// Whether results of a rebuild were taken over since this was asked last.
  bool take_news() { return std::exchange(news_, false); }
  /// The mask in force; nullptr where none is built (mode Identity, or before initialize): all weights kept.
  const Mask* mask(std::size_t tensor) const;
  /// Times that masks were enforced since the schedule was last driven.
  std::int64_t idle_enforcements() const { return idle_enforcements_; }

  // The parts of a mask update, for callers who decide masks themselves or for many cells at once: plan it, build the
  // masks of its jobs (build_masks, rebuild_and_apply, masks_at), then commit. A plan that is dropped changes nothing.

  /// What initialize, update and end_epoch are going to do. They wait for the last rebuild where a new one builds on
  /// it. No more calls of the cell until the commit. Throw what these calls throw.
  PlannedUpdate plan_initialize(const Context& context, std::span<const CellTensor> tensors, bool reset = false);
  PlannedUpdate plan_update(const Context& context, std::span<const CellTensor> tensors, std::int64_t batch_size);
  PlannedUpdate plan_end_epoch(const Context& context, std::span<const CellTensor> tensors);

  /// Takes over the schedule, and first masks out of the plan; `results` are those of the plan's jobs.
  void commit(PlannedUpdate& plan, std::span<const Result> results);
  /// The same where the results, from number `first` on, are pending until wait().
  void commit(PlannedUpdate& plan, std::shared_ptr<const PendingResults> results, std::size_t first);

  /// Appends the job that enforces the mask of a tensor. Out of place, a tensor without a mask is copied now.
  void enforce(const Context& context, std::size_t tensor, const CellTensor& memory, std::vector<ApplyJob>& jobs);

 private:
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
    std::shared_ptr<const PendingResults> results;
    std::size_t first;  ///< number of the cell's first result
    Schedule schedule;
    std::vector<Entry> entries;
  };

  void plan_drive(PlannedUpdate& plan, const Context& context, std::span<const CellTensor> tensors, bool rises);
  void plan_rebuild(PlannedUpdate& plan, const Context& context, const CellTensor& memory, std::size_t tensor,
                    bool first);
  bool tries_again();
  void adopt(PlannedUpdate& plan);
  void take_back(const Pending& pending);
  void require_resolved(const char* call) const;
  void move_mask(std::size_t tensor, Device device);
  const Tensor& at(std::size_t tensor) const;
  std::string name_of(std::size_t tensor) const;
  void require_initialized(const char* call) const;
  void check_count(std::span<const CellTensor> tensors) const;
  void check_tensors(const Context& context, std::span<const CellTensor> tensors) const;
  void check_state(const CellState& state, bool keep_parameters) const;

  Schedule schedule_;
  std::deque<Tensor> tensors_;  ///< no vector: mask() hands out addresses, which add_tensor() must not move
  std::optional<Pending> pending_;
  bool news_ = false;
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
