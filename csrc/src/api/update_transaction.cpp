// A change of masks is planned, executed and committed: plans copy the schedules and collect jobs, one call of the
// operations decides all masks and then writes, and only then do the cells take over what came out.
#include <prunecell/pending_results.hpp>
#include <prunecell/prune_cell.hpp>

#include "api/check.hpp"
#include "api/enforce.hpp"

#include <algorithm>
#include <utility>

namespace prunecell {

// The plan of one cell

PlannedUpdate PruneCell::plan_initialize(const Context& context, std::span<const CellTensor> tensors, bool reset) {
  wait();
  PlannedUpdate plan{.schedule = reset ? Schedule(parameters()) : schedule_};
  if (!reset && initialized()) return plan;
  check_context(context);
  check_tensors(context, tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t)
    if (reset || !tensors_[t].initialized) plan_rebuild(plan, context, tensors[t], t, true);
  return plan;
}

PlannedUpdate PruneCell::plan_update(const Context& context, std::span<const CellTensor> tensors,
                                     std::int64_t batch_size) {
  require_initialized("update");
  PlannedUpdate plan{.schedule = schedule_, .drives = true};
  plan_drive(plan, context, tensors, plan.schedule.update(batch_size));
  return plan;
}

PlannedUpdate PruneCell::plan_end_epoch(const Context& context, std::span<const CellTensor> tensors) {
  require_initialized("end_epoch");
  PlannedUpdate plan{.schedule = schedule_, .drives = true};
  plan_drive(plan, context, tensors, plan.schedule.end_epoch());
  return plan;
}

void PruneCell::plan_drive(PlannedUpdate& plan, const Context& context, std::span<const CellTensor> tensors,
                           bool rises) {
  const bool again = !rises && tries_again();
  if (rises) wait();  // a rise builds on what the last one came to
  check_context(context);
  if (rises || again || !tensors.empty()) check_tensors(context, tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (rises || (again && tensors_[t].figures.tied))
      plan_rebuild(plan, context, tensors[t], t, false);
    else
      plan.enforced.push_back(t);
  }
}

/// Plans a mask at the threshold of the plan's schedule, the first one of the tensor or one more.
void PruneCell::plan_rebuild(PlannedUpdate& plan, const Context& context, const CellTensor& memory, std::size_t number,
                             bool first) {
  const Tensor& tensor = tensors_[number];
  if (tensor.dropped) return;
  move_mask(number, context.device);
  PlannedUpdate::Rebuilt& rebuilt = plan.rebuilt.emplace_back(number, std::nullopt);
  if (parameters().mode == Mode::identity) {
    plan.enforced.push_back(number);
    return;
  }
  if (!tensor.mask) rebuilt.first_mask.emplace(tensor.shape, context.device);
  const MaskView mask = (rebuilt.first_mask ? *rebuilt.first_mask : *tensor.mask).view();
  // Out of place, IterNonStruct starts from the full-precision weights: what was pruned can come back.
  const bool only_adds = !first && (parameters().in_place || parameters().filler != Filler::iter_nonstruct);
  const std::uint64_t seed = tensor.name.empty() ? parameters().seed : derive_seed(parameters().seed, tensor.name);
  plan.jobs.push_back({.weights = memory.weights,
                       .pruned = parameters().in_place ? TensorView{} : memory.pruned,
                       .mask = mask,
                       .old = only_adds ? mask : MaskView{},
                       .fallback = first ? MaskView{} : mask,
                       .mask_is_new = rebuilt.first_mask.has_value(),
                       .rule = rule_of(parameters(), plan.schedule.current(), seed, std::uint32_t(number),
                                       std::uint32_t(plan.schedule.rises())),
                       .name = tensor.name});
}

void PruneCell::commit(PlannedUpdate& plan, std::span<const Result> results) {
  adopt(plan);
  for (std::size_t r = 0; r < results.size(); ++r) tensors_[plan.rebuilt[r].tensor].figures.take(results[r]);
  if (!results.empty()) news_ = true;
}

void PruneCell::commit(PlannedUpdate& plan, std::shared_ptr<const PendingResults> results, std::size_t first) {
  Pending pending{std::move(results), first, schedule_, {}};
  for (const auto& [number, first_mask] : plan.rebuilt) {
    const Tensor& tensor = tensors_[number];
    pending.entries.push_back({number, tensor.figures, tensor.initialized, first_mask.has_value()});
  }
  adopt(plan);
  if (!plan.jobs.empty()) pending_ = std::move(pending);
}

void PruneCell::adopt(PlannedUpdate& plan) {
  schedule_ = plan.schedule;
  if (plan.drives) idle_enforcements_ = 0;
  for (auto& [number, first_mask] : plan.rebuilt) {
    Tensor& tensor = tensors_[number];
    tensor.initialized = true;
    tensor.figures.size = element_count(tensor.shape);
    if (parameters().mode == Mode::identity) continue;
    if (first_mask) tensor.mask.emplace(std::move(*first_mask));
    tensor.figures.asked = plan.schedule.current();
  }
}

bool PruneCell::due(std::int64_t batch_size) { return Schedule(schedule_).update(batch_size) || tries_again(); }

/// Whether masks that Ties::keep left alone are to be tried again although no rise is to come.
bool PruneCell::tries_again() {
  if (parameters().ties != Ties::keep || !schedule_.ended()) return false;
  wait();
  return std::ranges::any_of(tensors_, [](const Tensor& tensor) { return tensor.figures.tied && !tensor.dropped; });
}

// All cells of a call

namespace {

/// Mask updates of many cells, all made or none.
class UpdateTransaction {
 public:
  UpdateTransaction(const Context& context, std::size_t cells) : context_(context) { planned_.reserve(cells); }

  /// plan(call) gives the plan of one cell.
  template <class Plan>
  void add(const CellCall& call, Plan&& plan) {
    planned_.push_back({call, plan(call)});
  }

  void execute() {
    std::vector<RebuildJob> jobs;
    for (const auto& [call, plan] : planned_) jobs.insert(jobs.end(), plan.jobs.begin(), plan.jobs.end());
    if (context_.device.kind == Device::Kind::cpu)
      commit_at_once(jobs);
    else
      commit_pending(jobs);
    std::vector<ApplyJob> enforcing;
    for (const auto& [call, plan] : planned_)
      for (const std::size_t t : plan.enforced) call.cell->enforce(context_, t, call.tensors[t], enforcing);
    mask_all(context_, enforcing);
  }

 private:
  struct Planned {
    CellCall call;
    PlannedUpdate plan;
  };

  void commit_at_once(std::span<const RebuildJob> jobs) {
    std::vector<Result> results(jobs.size());
    Context context = context_;
    context.pending = nullptr;
    if (!jobs.empty()) rebuild_and_apply(context, jobs, results);
    std::span<const Result> rest = results;
    for (auto& [call, plan] : planned_) {
      const std::size_t count = plan.jobs.size();
      call.cell->commit(plan, rest.first(count));
      rest = rest.subspan(count);
    }
  }

  /// The results stay on the device until somebody asks for them.
  void commit_pending(std::span<const RebuildJob> jobs) {
    const auto results = std::make_shared<PendingResults>();
    Context context = context_;
    context.pending = results.get();
    if (!jobs.empty()) rebuild_and_apply(context, jobs, {});
    std::size_t first = 0;
    for (auto& [call, plan] : planned_) {
      const std::size_t count = plan.jobs.size();
      call.cell->commit(plan, results, first);
      first += count;
    }
  }

  const Context& context_;
  std::vector<Planned> planned_;
};

/// plan(call) gives the plan of one cell.
template <class Plan>
void transact(const Context& context, std::span<const CellCall> calls, Plan&& plan) {
  std::vector<const PruneCell*> cells;
  for (const CellCall& call : calls) cells.push_back(call.cell);
  std::ranges::sort(cells);
  if (std::ranges::adjacent_find(cells) != cells.end()) throw InvalidArgument("calls: a cell is listed twice");
  UpdateTransaction transaction(context, calls.size());
  for (const CellCall& call : calls) transaction.add(call, plan);
  transaction.execute();
}

}  // namespace

void initialize(const Context& context, std::span<const CellCall> calls, bool reset) {
  transact(context, calls,
           [&](const CellCall& call) { return call.cell->plan_initialize(context, call.tensors, reset); });
}

void update(const Context& context, std::span<const CellCall> calls, std::int64_t batch_size) {
  transact(context, calls,
           [&](const CellCall& call) { return call.cell->plan_update(context, call.tensors, batch_size); });
}

void end_epoch(const Context& context, std::span<const CellCall> calls) {
  transact(context, calls, [&](const CellCall& call) { return call.cell->plan_end_epoch(context, call.tensors); });
}

}  // namespace prunecell
