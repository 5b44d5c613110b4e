// Prunes a layer through a whole Gradual schedule, and one tensor that is split in two.
#include <prunecell/error.hpp>
#include <prunecell/level_search.hpp>
#include <prunecell/prune_cell.hpp>

#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

namespace {

std::vector<float> some_weights(std::size_t count) {
  std::vector<float> weights(count);
  std::uint32_t state = 1;
  for (float& w : weights) {
    state = state * 1664525u + 1013904223u;
    w = float(state >> 8) / float(1u << 24) - 0.5f;
  }
  return weights;
}

prunecell::TensorView view(std::span<float> weights) {
  return {.data = weights.data(), .size = std::int64_t(weights.size())};
}

bool prunes_a_layer() {
  const prunecell::Context context;
  std::vector<float> weights = some_weights(64 * 32 * 9);
  prunecell::PruneCell cell({.mode = prunecell::Mode::gradual,
                             .filler = prunecell::Filler::iter_nonstruct,
                             .threshold = 0.8,
                             .start = 0.2,
                             .stepsize = 100,
                             .gamma = 0.2});
  cell.add_tensor({64, 32, 3, 3}, "layer");
  const prunecell::CellTensor tensor{.weights = view(weights)};
  cell.initialize(context, {&tensor, 1});
  for (int batch = 0; batch < 10; ++batch) {
    cell.propagate(context, {&tensor, 1});
    cell.update(context, {&tensor, 1}, 50);
  }
  std::int64_t zeros = 0;
  for (const float w : weights) zeros += w == 0;
  const prunecell::Figures& figures = cell.figures(0);
  std::printf("%lld of %lld weights pruned, level %lld\n", (long long)zeros, (long long)figures.size,
              (long long)figures.level);
  return zeros == figures.zeros && figures.reached() >= 0.8 && figures.overshoot() < 0.01;
}

bool finds_the_level_of_a_split_tensor() {
  std::vector<float> weights = some_weights(1000);
  const std::span<float> whole(weights);
  prunecell::LevelSearch search(std::int64_t(whole.size()), 0.5f, 0.001f);
  while (!search.done()) {
    std::vector<std::int64_t> counters(prunecell::LevelSearch::counter_count);
    const prunecell::LevelJob jobs[] = {
        {.search = &search, .weights = view(whole.first(300)), .counters = counters.data()},
        {.search = &search, .weights = view(whole.subspan(300)), .counters = counters.data()}};
    prunecell::count_levels({}, jobs);
    search.advance(counters);
  }
  std::int64_t pruned = 0;
  for (const float w : weights) pruned += (w < 0 ? -w : w) <= search.limit();
  return pruned >= search.need() && search.need() == 500;
}

bool refuses_what_is_wrong() {
  try {
    prunecell::PruneCell cell({.threshold = 1.5});
  } catch (const prunecell::InvalidArgument& error) {
    std::printf("%s\n", error.what());
    return true;
  }
  return false;
}

}  // namespace

int main() {
  if (prunes_a_layer() && finds_the_level_of_a_split_tensor() && refuses_what_is_wrong()) return 0;
  std::puts("failed");
  return 1;
}
