#include <prunecell/pending_results.hpp>
#include <prunecell/prune_cell.hpp>

#include "api/check.hpp"
#include "api/enforce.hpp"

#include <algorithm>
#include <utility>

namespace prunecell {

namespace {

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + to_text(extent);
  return text + ")";
}

}  // namespace

std::size_t PruneCell::add_tensor(Shape shape, std::string name) {
  auto free = std::ranges::find_if(tensors_, &Tensor::dropped);
  if (free == tensors_.end() || pending_)  // a rebuild under way knows tensors by their numbers
    free = tensors_.emplace(tensors_.end());
  free->figures = {.size = element_count(shape)};
  free->shape = std::move(shape);
  free->name = std::move(name);
  free->initialized = free->dropped = false;
  if (free->mask) *free->mask = Mask(free->shape);  // where it lies: mask() has handed out its address
  return std::size_t(free - tensors_.begin());
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
  check_tensors(context, tensors);
  std::vector<ApplyJob> jobs;
  for (std::size_t t = 0; t < tensors.size(); ++t) enforce(context, t, tensors[t], jobs);
  mask_all(context, jobs);
  ++idle_enforcements_;
}

void PruneCell::back_propagate(const Context& context, std::span<const CellTensor> tensors) {
  require_initialized("back_propagate");
  check_count(tensors);
  std::vector<ApplyJob> jobs;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const TensorView& gradient = tensors[t].gradient;
    if (tensors_[t].dropped || !gradient.data) continue;
    const std::int64_t size = tensors_[t].figures.size;
    if (gradient.size != size) refuse(name_of(t) + ": gradient", to_text(size) + " elements", to_text(gradient.size));
    move_mask(t, context.device);
    if (tensors_[t].mask)
      jobs.push_back({.weights = gradient, .mask = tensors_[t].mask->view(), .name = tensors_[t].name});
  }
  mask_all(context, jobs);
}

void PruneCell::update(const Context& context, std::span<const CellTensor> tensors, std::int64_t batch_size) {
  const CellCall call{this, tensors};
  prunecell::update(context, {&call, 1}, batch_size);
}

void PruneCell::end_epoch(const Context& context, std::span<const CellTensor> tensors) {
  const CellCall call{this, tensors};
  prunecell::end_epoch(context, {&call, 1});
}

void PruneCell::enforce(const Context& context, std::size_t tensor, const CellTensor& memory,
                        std::vector<ApplyJob>& jobs) {
  const Tensor& own = tensors_[tensor];
  if (own.dropped) return;
  const bool in_place = parameters().in_place;
  move_mask(tensor, context.device);
  if (own.mask)
    jobs.push_back({.weights = memory.weights,
                    .out = in_place ? TensorView{} : memory.pruned,
                    .mask = own.mask->view(),
                    .name = own.name});
  else if (!in_place && memory.weights.size > 0)
    copy_weights(context, memory.weights, memory.pruned);
}

void PruneCell::move_mask(std::size_t tensor, Device device) {
  std::optional<Mask>& mask = tensors_[tensor].mask;
  if (mask) mask->move(device);
}

void PruneCell::wait() {
  if (!pending_) return;
  try {
    const std::vector<Result> results = pending_->results->wait();
    for (std::size_t e = 0; e < pending_->entries.size(); ++e)
      tensors_[pending_->entries[e].tensor].figures.take(results[pending_->first + e]);
    news_ = true;
  } catch (const UnreachableThreshold&) {
    take_back(*pending_);
    pending_.reset();
    throw;
  }
  pending_.reset();
}

void PruneCell::take_back(const Pending& pending) {
  schedule_ = pending.schedule;
  for (const Pending::Entry& entry : pending.entries) {
    Tensor& tensor = tensors_[entry.tensor];
    tensor.figures = entry.figures;
    tensor.initialized = entry.initialized;
    if (entry.fresh) tensor.mask.reset();
  }
}

const Figures& PruneCell::figures(std::size_t tensor) const {
  require_resolved("figures");
  return at(tensor).figures;
}

void PruneCell::set_mask(std::size_t tensor, const Mask& mask) {
  wait();
  require_initialized("set_mask");
  const Tensor& own = at(tensor);
  if (!own.mask) throw WrongState("set_mask: a cell in mode Identity has no mask to set");
  if (mask.shape() != own.shape)
    refuse("set_mask: " + name_of(tensor), "a mask of shape " + shape_text(own.shape), shape_text(mask.shape()));
  Tensor& changed = tensors_[tensor];
  changed.mask->assign_bits(mask);
  changed.figures.zeros = mask.zeros();
  changed.figures.level = 0;
  changed.figures.tied = false;
}

CellState PruneCell::save() const {
  require_resolved("save");
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
  if (state.format < 1 || state.format > CellState::current_format)
    refuse("state format", "1 to " + to_text(CellState::current_format), to_text(state.format));
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
    check_not_negative("state of " + name_of(t) + ": level", saved.figures.level);
    check_share("state of " + name_of(t) + ": asked", saved.figures.asked);
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
  pending_.reset();
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    Tensor& tensor = tensors_[t];
    tensor.initialized = state.tensors[t].initialized;
    tensor.figures = parameters().mode == Mode::identity ? Figures{} : state.tensors[t].figures;
    tensor.figures.size = element_count(tensor.shape);
    if (masks.empty() || !tensor.initialized) continue;
    if (tensor.mask)
      tensor.mask->assign_bits(masks[t]);
    else
      tensor.mask.emplace(std::move(masks[t]));
  }
}

bool PruneCell::initialized() const {
  // One that was dropped before it had a mask, since that could not be built, counts for nothing.
  return std::ranges::any_of(tensors_, &Tensor::initialized) &&
         std::ranges::all_of(tensors_, [](const Tensor& tensor) { return tensor.initialized || tensor.dropped; });
}

const Mask* PruneCell::mask(std::size_t tensor) const {
  const Tensor& own = at(tensor);
  return own.mask ? &*own.mask : nullptr;
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

void PruneCell::require_resolved(const char* call) const {
  if (pending_) throw WrongState(std::string(call) + ": the results of a rebuild are pending, call wait first");
}

void PruneCell::check_count(std::span<const CellTensor> tensors) const {
  if (tensors.size() != tensors_.size())
    refuse("tensors", to_text(tensors_.size()) + " entries, one per add_tensor", to_text(tensors.size()));
}

void PruneCell::check_tensors(const Context& context, std::span<const CellTensor> tensors) const {
  check_count(tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (tensors_[t].dropped) continue;
    const TensorView &weights = tensors[t].weights, &pruned = tensors[t].pruned;
    const std::int64_t size = tensors_[t].figures.size;
    const auto fits = [&](const TensorView& view) {
      return view.size == size && view.dtype == weights.dtype && view.device == weights.device &&
             view.layout == weights.layout;
    };
    const auto part = [&](const char* name) { return Part{tensors_[t].name, t, name}; };
    check_view(part("weights"), weights, context);
    if (weights.size != size) refuse(name_of(t) + ": weights", to_text(size) + " elements", to_text(weights.size));
    if (!parameters().in_place && size > 0 && !(pruned.data && fits(pruned)))
      refuse(name_of(t) + ": pruned", "a buffer like the weights, since the cell is not in place", "another or none");
  }
}

}  // namespace prunecell
