#include <prunecell/pending_results.hpp>
#include <prunecell/prune_cell.hpp>

#include "api/check.hpp"
#include "api/enforce.hpp"

#include <algorithm>
#include <utility>

namespace prunecell {

// A change of masks is planned, executed and committed: the plan copies the schedule and collects jobs, one call
// of the operations decides all levels and then writes, and only then do the cells take over what came out.
class CellPlan {
 public:
  /// `due`: tensors are to be rebuilt. Otherwise there may be none: nothing is enforced then.
  CellPlan(const Context& context, const CellCall& call, Schedule next, bool due)
      : cell_(*call.cell), tensors_(call.tensors), device_(context.device), next_(std::move(next)) {
    check_context(context);
    if (due || !tensors_.empty()) cell_.check_tensors(context, tensors_);
  }

  /// Tensor `t` gets a mask at the threshold of the next schedule, the first one or one more.
  void rebuild(std::size_t t, bool first) {
    const Parameters& parameters = cell_.parameters();
    PruneCell::Tensor& tensor = cell_.tensors_[t];
    if (tensor.dropped) return;
    Entry entry{t, {}};
    cell_.move_mask(t, device_);
    if (parameters.mode == Mode::identity) {
      enforce(t);
    } else {
      if (!tensor.mask) entry.fresh.emplace(tensor.shape, device_);
      const MaskView mask = (entry.fresh ? *entry.fresh : *tensor.mask).view();
      // Out of place, IterNonStruct starts from the full-precision weights: what was pruned can come back.
      const bool only_adds = !first && (parameters.in_place || parameters.filler != Filler::iter_nonstruct);
      jobs_.push_back(
          {.weights = tensors_[t].weights,
           .out = parameters.in_place ? TensorView{} : tensors_[t].pruned,
           .mask = mask,
           .old = only_adds ? mask : MaskView{},
           .fallback = first ? MaskView{} : mask,
           .mask_is_new = entry.fresh.has_value(),
           .rule = {.filler = parameters.filler,
                    .threshold = next_.current(),
                    .delta = to_float32(parameters.delta),
                    .seed = tensor.name.empty() ? parameters.seed : derive_seed(parameters.seed, tensor.name),
                    .tensor = std::uint32_t(t),
                    .rise = std::uint32_t(next_.rises()),
                    .ties = parameters.ties},
           .name = tensor.name});
    }
    entries_.push_back(std::move(entry));
  }

  /// The mask of tensor `t` stays, and is enforced once the others are there.
  void enforce(std::size_t t) { enforced_.push_back(t); }

  const std::vector<Job>& jobs() const { return jobs_; }

  /// Takes over the masks and the schedule; `results` are those of the jobs.
  void commit(std::span<const Result> results) {
    take_over();
    for (std::size_t e = 0; e < results.size(); ++e) figures(e).take(results[e]);
    if (!results.empty()) cell_.news_ = true;
  }

  /// The same where the results, from number `first` on, stay in a ticket until somebody asks for them.
  void commit(std::shared_ptr<const Ticket> ticket, std::size_t first) {
    PruneCell::Pending pending{std::move(ticket), first, cell_.schedule_, {}};
    for (const Entry& entry : entries_) {
      const PruneCell::Tensor& tensor = cell_.tensors_[entry.tensor];
      pending.entries.push_back({entry.tensor, tensor.figures, tensor.initialized, entry.fresh.has_value()});
    }
    take_over();
    if (!jobs_.empty()) cell_.pending_ = std::move(pending);
  }

  /// The jobs that enforce the masks that stay.
  void add_enforcing(const Context& context, std::vector<Job>& jobs) {
    for (const std::size_t t : enforced_) cell_.enforce(context, t, tensors_[t], jobs);
  }

 private:
  struct Entry {
    std::size_t tensor;
    std::optional<Mask> fresh;
  };

  Figures& figures(std::size_t entry) { return cell_.tensors_[entries_[entry].tensor].figures; }

  void take_over() {
    cell_.schedule_ = next_;
    for (Entry& entry : entries_) {
      PruneCell::Tensor& tensor = cell_.tensors_[entry.tensor];
      tensor.initialized = true;
      tensor.figures.size = element_count(tensor.shape);
      if (cell_.parameters().mode == Mode::identity) continue;
      if (entry.fresh) tensor.mask.emplace(std::move(*entry.fresh));
      tensor.figures.asked = next_.current();
    }
  }

  PruneCell& cell_;
  std::span<const CellTensor> tensors_;
  Device device_;
  Schedule next_;
  std::vector<Entry> entries_;
  std::vector<Job> jobs_;  ///< one per entry, or none in mode Identity
  std::vector<std::size_t> enforced_;
};

namespace {

void execute(const Context& context, std::vector<CellPlan>& plans) {
  std::vector<Job> jobs;
  for (const CellPlan& plan : plans) jobs.insert(jobs.end(), plan.jobs().begin(), plan.jobs().end());
  // On the CPU the ticket has the results at once, and a failure has thrown before anything is committed.
  const bool later = context.device.kind != Device::Kind::cpu;
  std::shared_ptr<Ticket> ticket;
  std::vector<Result> results;
  if (!jobs.empty()) {
    ticket = std::make_shared<Ticket>();
    Context with_ticket = context;
    with_ticket.ticket = ticket.get();
    rebuild_and_apply(with_ticket, jobs, {});
    if (!later) results = ticket->wait();
  }
  std::size_t first = 0;
  for (CellPlan& plan : plans) {
    if (later)
      plan.commit(ticket, first);
    else
      plan.commit(std::span(results).subspan(first, plan.jobs().size()));
    first += plan.jobs().size();
  }
  jobs.clear();
  for (CellPlan& plan : plans) plan.add_enforcing(context, jobs);
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
    const bool rises = drive(next), again = !rises && call.cell->tries_again();
    if (rises) call.cell->wait();  // a rise builds on what the last one came to
    CellPlan& plan = plans.emplace_back(context, call, next, rises || again);
    for (std::size_t t = 0; t < call.tensors.size(); ++t) {
      if (rises || (again && call.cell->known_figures(t).tied))
        plan.rebuild(t, false);
      else
        plan.enforce(t);
    }
  }
  execute(context, plans);
}

}  // namespace

bool PruneCell::due(std::int64_t batch_size) const { return Schedule(schedule_).update(batch_size) || tries_again(); }

bool PruneCell::tries_again() const {
  if (parameters().ties != Ties::keep || !schedule_.ended()) return false;
  wait();
  return std::ranges::any_of(tensors_, [](const Tensor& tensor) { return tensor.figures.tied && !tensor.dropped; });
}

void initialize(const Context& context, std::span<const CellCall> calls, bool reset) {
  check_distinct(calls);
  std::vector<CellPlan> plans;
  plans.reserve(calls.size());
  for (const CellCall& call : calls) {
    PruneCell& cell = *call.cell;
    cell.wait();
    if (!reset && cell.initialized()) continue;
    CellPlan& plan = plans.emplace_back(context, call, reset ? Schedule(cell.parameters()) : cell.schedule(), true);
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

}  // namespace prunecell
