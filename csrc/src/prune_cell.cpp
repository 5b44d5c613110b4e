#include <prunecell/prune_cell.hpp>

#include "check.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace prunecell {

// A change of masks is planned, executed and committed: the plan copies the schedule and collects jobs, one call
// of the operations decides all levels and then writes, and only then do the cells take over what came out.
class CellPlan {
 public:
  /// `due`: tensors are to be rebuilt. Otherwise there may be none: nothing is enforced then.
  CellPlan(PruneCell& cell, std::span<const CellTensor> tensors, Schedule next, bool due)
      : cell_(cell), tensors_(tensors), next_(std::move(next)) {
    if (due || !tensors.empty()) cell.check_tensors(tensors);
  }

  /// Tensor `t` gets a mask at the threshold of the next schedule, the first one or one more.
  void rebuild(std::size_t t, bool first) {
    const Parameters& parameters = cell_.parameters();
    PruneCell::Tensor& tensor = cell_.tensors_[t];
    if (tensor.dropped) return;
    Entry entry{t, {}};
    if (parameters.mode != Mode::identity) {
      if (!tensor.mask) entry.fresh.emplace(tensor.shape);
      const MaskView mask = (entry.fresh ? *entry.fresh : *tensor.mask).view();
      // Out of place, IterNonStruct starts from the full-precision weights: what was pruned can come back.
      const bool only_adds = !first && (parameters.in_place || parameters.filler != Filler::iter_nonstruct);
      jobs_.push_back(
          {.weights = tensors_[t].weights,
           .out = parameters.in_place ? TensorView{} : tensors_[t].pruned,
           .mask = mask,
           .old = only_adds ? mask : MaskView{},
           .rule = {.filler = parameters.filler,
                    .threshold = next_.current(),
                    .delta = to_float32(parameters.delta),
                    .seed = tensor.name.empty() ? parameters.seed : derive_seed(parameters.seed, tensor.name),
                    .tensor = std::uint32_t(t),
                    .rise = std::uint32_t(next_.rises())},
           .name = tensor.name});
    }
    entries_.push_back(std::move(entry));
  }

  const std::vector<Job>& jobs() const { return jobs_; }

  void commit(std::span<const Result> results) {
    cell_.schedule_ = next_;
    for (std::size_t e = 0; e < entries_.size(); ++e) {
      PruneCell::Tensor& tensor = cell_.tensors_[entries_[e].tensor];
      tensor.initialized = true;
      tensor.figures.size = element_count(tensor.shape);
      if (cell_.parameters().mode == Mode::identity) continue;
      if (entries_[e].fresh) tensor.mask.emplace(std::move(*entries_[e].fresh));
      tensor.figures.asked = next_.current();
      tensor.figures.zeros = results[e].zeros;
      tensor.figures.level = results[e].level;
    }
  }

  /// The jobs that enforce the masks of a cell with nothing to rebuild.
  void enforce(std::vector<Job>& jobs) const {
    if (jobs_.empty()) cell_.enforce(tensors_, jobs);
  }

 private:
  struct Entry {
    std::size_t tensor;
    std::optional<Mask> fresh;
  };

  PruneCell& cell_;
  std::span<const CellTensor> tensors_;
  Schedule next_;
  std::vector<Entry> entries_;
  std::vector<Job> jobs_;  ///< one per entry, or none in mode Identity
};

namespace {

void mask_all(const Context& context, std::span<const Job> jobs) {
  if (jobs.empty()) return;
  std::vector<Result> results(jobs.size());
  apply_masks(context, jobs, results);
}

void execute(const Context& context, std::vector<CellPlan>& plans) {
  std::vector<Job> jobs;
  for (const CellPlan& plan : plans) jobs.insert(jobs.end(), plan.jobs().begin(), plan.jobs().end());
  std::vector<Result> results(jobs.size());
  if (!jobs.empty()) rebuild_and_apply(context, jobs, results);
  std::span<const Result> rest = results;
  for (CellPlan& plan : plans) {
    plan.commit(rest.first(plan.jobs().size()));
    rest = rest.subspan(plan.jobs().size());
  }
  jobs.clear();
  for (const CellPlan& plan : plans) plan.enforce(jobs);
  mask_all(context, jobs);
}

void check_distinct(std::span<const CellCall> calls) {
  std::vector<const PruneCell*> cells;
  for (const CellCall& call : calls) cells.push_back(call.cell);
  std::ranges::sort(cells);
  if (std::ranges::adjacent_find(cells) != cells.end()) throw InvalidArgument("calls: a cell is listed twice");
}

/// `drive` moves the schedule on and says whether the masks are to be rebuilt.
template <class Drive>
void drive_all(const Context& context, std::span<const CellCall> calls, Drive&& drive) {
  check_distinct(calls);
  std::vector<CellPlan> plans;
  plans.reserve(calls.size());
  for (const CellCall& call : calls) {
    Schedule next = call.cell->schedule();
    const bool due = drive(next);
    CellPlan& plan = plans.emplace_back(*call.cell, call.tensors, next, due);
    for (std::size_t t = 0; due && t < call.tensors.size(); ++t) plan.rebuild(t, false);
  }
  execute(context, plans);
}

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + to_text(extent);
  return text + ")";
}

}  // namespace

void initialize(const Context& context, std::span<const CellCall> calls, bool reset) {
  check_distinct(calls);
  std::vector<CellPlan> plans;
  plans.reserve(calls.size());
  for (const CellCall& call : calls) {
    PruneCell& cell = *call.cell;
    if (!reset && cell.initialized()) continue;
    Schedule next = reset ? Schedule(cell.parameters()) : cell.schedule();
    CellPlan& plan = plans.emplace_back(cell, call.tensors, std::move(next), true);
    for (std::size_t t = 0; t < call.tensors.size(); ++t)
      if (reset || !cell.tensors_[t].initialized) plan.rebuild(t, true);
  }
  execute(context, plans);
}

void update(const Context& context, std::span<const CellCall> calls, std::int64_t batch_size) {
  for (const CellCall& call : calls) call.cell->require_initialized("update");
  drive_all(context, calls, [&](Schedule& next) { return next.update(batch_size); });
  for (const CellCall& call : calls) call.cell->idle_enforcements_ = 0;
}

void end_epoch(const Context& context, std::span<const CellCall> calls) {
  for (const CellCall& call : calls) call.cell->require_initialized("end_epoch");
  drive_all(context, calls, [](Schedule& next) { return next.end_epoch(); });
  for (const CellCall& call : calls) call.cell->idle_enforcements_ = 0;
}

std::size_t PruneCell::add_tensor(Shape shape, std::string name) {
  Tensor tensor;
  tensor.figures.size = element_count(shape);
  tensor.shape = std::move(shape);
  tensor.name = std::move(name);
  tensors_.push_back(std::move(tensor));
  return tensors_.size() - 1;
}

void PruneCell::drop_tensor(std::size_t tensor) {
  at(tensor);
  Tensor& dropped = tensors_[tensor];
  if (!dropped.mask && parameters().mode != Mode::identity) dropped.mask.emplace(dropped.shape);  // for save()
  dropped.dropped = true;
}

void PruneCell::initialize(const Context& context, std::span<const CellTensor> tensors, bool reset) {
  const CellCall call{this, tensors};
  prunecell::initialize(context, {&call, 1}, reset);
}

void PruneCell::propagate(const Context& context, std::span<const CellTensor> tensors) {
  require_initialized("propagate");
  check_tensors(tensors);
  std::vector<Job> jobs;
  enforce(tensors, jobs);
  mask_all(context, jobs);
  ++idle_enforcements_;
}

void PruneCell::back_propagate(const Context& context, std::span<const CellTensor> tensors) {
  require_initialized("back_propagate");
  check_count(tensors);
  std::vector<Job> jobs;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const TensorView& gradient = tensors[t].gradient;
    if (tensors_[t].dropped || !gradient.data) continue;
    const std::int64_t size = tensors_[t].figures.size;
    if (gradient.size != size) refuse(name_of(t) + ": gradient", to_text(size) + " elements", to_text(gradient.size));
    if (tensors_[t].mask)
      jobs.push_back({.weights = gradient, .mask = tensors_[t].mask->view(), .name = tensors_[t].name});
  }
  mask_all(context, jobs);
}

bool PruneCell::due(std::int64_t batch_size) const { return Schedule(schedule_).update(batch_size); }

void PruneCell::update(const Context& context, std::span<const CellTensor> tensors, std::int64_t batch_size) {
  const CellCall call{this, tensors};
  prunecell::update(context, {&call, 1}, batch_size);
}

void PruneCell::end_epoch(const Context& context, std::span<const CellTensor> tensors) {
  const CellCall call{this, tensors};
  prunecell::end_epoch(context, {&call, 1});
}

void PruneCell::enforce(std::span<const CellTensor> tensors, std::vector<Job>& jobs) const {
  const bool in_place = parameters().in_place;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (tensors_[t].dropped) continue;
    const auto& [weights, gradient, pruned] = tensors[t];
    if (tensors_[t].mask)
      jobs.push_back({.weights = weights,
                      .out = in_place ? TensorView{} : pruned,
                      .mask = tensors_[t].mask->view(),
                      .name = tensors_[t].name});
    else if (!in_place && weights.size > 0)
      std::memcpy(pruned.data, weights.data, std::size_t(weights.size) * item_size(weights.dtype));
  }
}

void PruneCell::set_mask(std::size_t tensor, const Mask& mask) {
  require_initialized("set_mask");
  const Tensor& known = at(tensor);
  if (!known.mask) throw WrongState("set_mask: a cell in mode Identity has no mask to set");
  if (mask.shape() != known.shape)
    refuse("set_mask: " + name_of(tensor), "a mask of shape " + shape_text(known.shape), shape_text(mask.shape()));
  Tensor& changed = tensors_[tensor];
  changed.mask->assign_bits(mask);
  changed.figures.zeros = mask.zeros();
  changed.figures.level = 0;
}

CellState PruneCell::save() const {
  CellState state{.parameters = parameters(),
                  .current = schedule_.current(),
                  .rises = schedule_.rises(),
                  .counter = schedule_.counter()};
  for (const Tensor& tensor : tensors_)
    state.tensors.push_back({tensor.shape, tensor.figures, tensor.initialized || tensor.dropped,
                             tensor.mask ? tensor.mask->saved() : std::vector<std::byte>{}});
  return state;
}

void PruneCell::check_state(const CellState& state, bool keep_parameters) const {
  if (state.format != CellState::current_format)
    refuse("state format", to_text(CellState::current_format), to_text(state.format));
  const std::vector<std::string> differing = differences(state.parameters, parameters());
  if (!differing.empty() && !keep_parameters) {
    std::string list;
    for (const std::string& one : differing) list += (list.empty() ? "" : "; ") + one;
    throw InvalidArgument("the state was saved with other parameters (" + list +
                          "); ask to keep the cell's own to continue from its threshold all the same");
  }
  if (state.tensors.size() != tensors_.size())
    refuse("state", to_text(tensors_.size()) + " tensors", to_text(state.tensors.size()));
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    const CellState::Tensor& saved = state.tensors[t];
    if (saved.shape != tensors_[t].shape)
      refuse("state of " + name_of(t), "shape " + shape_text(tensors_[t].shape), shape_text(saved.shape));
    if (parameters().mode == Mode::identity || !saved.initialized) continue;
    if (saved.mask.size() != Mask::saved_size(saved.shape))
      refuse("state of " + name_of(t), "a mask of " + to_text(Mask::saved_size(saved.shape)) + " bytes",
             to_text(saved.mask.size()));
  }
}

void PruneCell::load(const CellState& state, bool keep_parameters) {
  check_state(state, keep_parameters);
  Schedule schedule(parameters());
  std::vector<Mask> masks;
  if (parameters().mode != Mode::identity) {
    schedule.resume(state.current, state.rises, state.counter);
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      if (!state.tensors[t].initialized) {
        masks.emplace_back();
        continue;
      }
      masks.push_back(Mask::from_saved(tensors_[t].shape, state.tensors[t].mask));
      const std::int64_t expected = state.tensors[t].figures.zeros, zeros = masks.back().zeros();
      if (zeros != expected)
        refuse("state of " + name_of(t), "a mask with the " + to_text(expected) + " zeros that were counted",
               to_text(zeros));
    }
  }
  schedule_ = schedule;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    Tensor& tensor = tensors_[t];
    tensor.initialized = state.tensors[t].initialized;
    tensor.figures = state.tensors[t].figures;
    tensor.figures.size = element_count(tensor.shape);
    if (masks.empty() || !tensor.initialized) continue;
    if (tensor.mask)
      tensor.mask->assign_bits(masks[t]);
    else
      tensor.mask.emplace(std::move(masks[t]));
  }
}

bool PruneCell::initialized() const {
  return !tensors_.empty() &&
         std::ranges::all_of(tensors_, [](const Tensor& tensor) { return tensor.initialized || tensor.dropped; });
}

const Mask* PruneCell::mask(std::size_t tensor) const {
  const Tensor& known = at(tensor);
  return known.mask ? &*known.mask : nullptr;
}

const PruneCell::Tensor& PruneCell::at(std::size_t tensor) const {
  if (tensor >= tensors_.size())
    refuse("tensor number", "less than " + to_text(tensors_.size()) + ", the tensors of the cell", to_text(tensor));
  return tensors_[tensor];
}

std::string PruneCell::name_of(std::size_t tensor) const {
  return prunecell::tensor_name(tensors_[tensor].name, tensor);
}

void PruneCell::require_initialized(const char* call) const {
  if (!initialized()) throw WrongState(std::string(call) + ": the cell is not initialized, call initialize first");
}

void PruneCell::check_count(std::span<const CellTensor> tensors) const {
  if (tensors.size() != tensors_.size())
    refuse("tensors", to_text(tensors_.size()) + " entries, one per add_tensor", to_text(tensors.size()));
}

void PruneCell::check_tensors(std::span<const CellTensor> tensors) const {
  check_count(tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (tensors_[t].dropped) continue;
    const TensorView &weights = tensors[t].weights, &pruned = tensors[t].pruned;
    const std::int64_t size = tensors_[t].figures.size;
    const auto fits = [&](const TensorView& view) {
      return view.size == size && view.dtype == weights.dtype && view.device == weights.device &&
             view.layout.channels == weights.layout.channels && view.layout.positions == weights.layout.positions;
    };
    if (weights.size != size) refuse(name_of(t) + ": weights", to_text(size) + " elements", to_text(weights.size));
    if (size > 0 && !weights.data) refuse(name_of(t) + ": weights", "memory", "a null pointer");
    if (!parameters().in_place && size > 0 && !(pruned.data && fits(pruned)))
      refuse(name_of(t) + ": pruned", "a buffer like the weights, since the cell is not in place", "another or none");
  }
}

}  // namespace prunecell
