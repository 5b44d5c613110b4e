// Calls of a PruneCell on tensors so small that the call is what costs: what Python's calls are compared with.
#include "floor.hpp"
#include "workload.hpp"

#include <prunecell/prune_cell.hpp>

#include <vector>

namespace benchmarks {
namespace {

constexpr std::int64_t small = 64;

struct Cells {
  std::shared_ptr<const Tensor> memory;
  std::vector<prunecell::PruneCell> cells;
  std::vector<prunecell::CellTensor> tensors;
  std::vector<prunecell::CellCall> calls;

  explicit Cells(std::int64_t count) : memory(std::make_shared<const Tensor>(DType::float32, count * small)) {
    auto* const first = static_cast<float*>(memory->view().data);
    fill_normal(first, 0, memory->size, sigma);
    for (std::int64_t i = 0; i < count; ++i) {
      tensors.push_back({.weights = {first + i * small, small, DType::float32}});
      cells.emplace_back(
          prunecell::Parameters{.mode = prunecell::Mode::fixed, .filler = Filler::iter_nonstruct, .threshold = 0.5});
      cells.back().add_tensor({small});
    }
    for (std::size_t i = 0; i < cells.size(); ++i) calls.push_back({&cells[i], {&tensors[i], 1}});
    prunecell::initialize({}, calls);
  }
};

Race update(std::int64_t count) {
  const auto cells = std::make_shared<Cells>(count);
  return {.work = [=] { prunecell::update({}, cells->calls, 32); },
          .yardstick = [=] { floor_read(cells->memory->memory.data(), cells->memory->bytes(), 1); }};
}

/// One cell of so many tensors: a batch that is bound once.
Race propagate(std::int64_t count) {
  const auto cells = std::make_shared<Cells>(count);
  const auto bound = std::make_shared<prunecell::PruneCell>(cells->cells[0].parameters());
  for (std::int64_t i = 0; i < count; ++i) bound->add_tensor({small});
  bound->initialize({}, cells->tensors);
  return {.work = [=] { bound->propagate({}, cells->tensors); },
          .yardstick = [=] { floor_read(cells->memory->memory.data(), cells->memory->bytes(), 1); }};
}

/// The masks of all cells on their weights, as the plain operation.
Race apply(std::int64_t count) {
  const auto cells = std::make_shared<Cells>(count);
  const auto jobs = std::make_shared<std::vector<prunecell::ApplyJob>>();
  const auto results = std::make_shared<std::vector<Result>>(std::size_t(count));
  for (std::size_t i = 0; i < cells->cells.size(); ++i)
    jobs->push_back({.weights = cells->tensors[i].weights, .mask = cells->cells[i].mask(0)->view()});
  return {.work = [=, held = cells] { prunecell::apply_masks({}, *jobs, *results); },
          .yardstick = [=] { floor_read(cells->memory->memory.data(), cells->memory->bytes(), 1); }};
}

}  // namespace

void add_cell_rows(const Options& options) {
  const auto add = [&](const char* call, std::int64_t cells, auto set_up) {
    const Fields fields = Fields().add("group", "calls").add("call", call).add("cells", cells);
    add_race(options, std::string("calls/") + call + "/" + std::to_string(cells), fields, small, set_up);
  };
  add("propagate", 1, [] { return propagate(1); });
  add("propagate", 50, [] { return propagate(50); });
  add("update", 1, [] { return update(1); });
  add("update", 50, [] { return update(50); });
  add("apply", 1, [] { return apply(1); });
  add("apply", 50, [] { return apply(50); });
}

}  // namespace benchmarks
