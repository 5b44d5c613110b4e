#include "cpu/kth_smallest/count_keys.hpp"
#include "cpu/memory/key_tile.hpp"
#include "semantics/semantics.hpp"

#include <memory>

namespace prunecell::cpu {
namespace {

struct Counter {
  KeyCounts counts;
  KeyTile tile;
  std::uint32_t inside[tile_size];

  void add(const CountTask& task, const Tile& at) {
    read_keys(*task.ranked, at, tile);
    const KeyBracket& bracket = task.bracket;
    const std::int64_t found = kernels().split(tile.keys, at.size, bracket.first, bracket.last, inside, counts.below);
    const int shift = bracket.shift();
    for (std::int64_t i = 0; i < found; ++i) ++counts.bucket[(inside[i] - bracket.first) >> shift];
  }

  void flush(KeyCounts& total) {
    total.below += counts.below;
    for (std::size_t b = 0; b < counts.bucket.size(); ++b) total.bucket[b] += counts.bucket[b];
    counts = {};
  }
};

}  // namespace

std::vector<KeyCounts> count_keys(const Context& context, std::span<const CountTask> tasks) {
  std::vector<std::int64_t> sizes;
  for (const CountTask& task : tasks) sizes.push_back(task.ranked->weights.size);
  const TileList tiles({.sizes = std::move(sizes)});
  const int threads = tiles.threads(context.threads);

  std::vector<KeyCounts> totals(tasks.size());
  const auto counters = std::make_unique<Counter[]>(std::size_t(threads));
  tiles.run(
      threads, [&](const Tile& tile, int thread) { counters[std::size_t(thread)].add(tasks[tile.job], tile); },
      [&](std::size_t job, int thread) { counters[std::size_t(thread)].flush(totals[job]); });
  return totals;
}

Census census(const Context& context, const Ranked& ranked, std::uint32_t last) {
  const auto up_to = [&](std::uint32_t key) {
    const CountTask task{&ranked, {key + 1, UINT32_MAX}};
    return count_keys(context, {&task, 1}).front().below;
  };
  const std::int64_t finite = up_to(semantics::inf_key - 1), numbers = up_to(semantics::inf_key);
  Census out{.size = ranked.weights.size, .reachable = up_to(last)};
  out.nan = out.size - numbers;
  out.inf = last < semantics::inf_key ? numbers - finite : 0;
  out.finite = numbers - out.inf - out.reachable;
  return out;
}

}  // namespace prunecell::cpu
