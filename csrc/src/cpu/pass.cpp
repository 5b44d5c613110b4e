#include "pass.hpp"
#include "../semantics.hpp"

#include <algorithm>
#include <mutex>

namespace prunecell::cpu {
namespace {

/// A bracket in the terms of the items that are compared.
struct Bounds {
  int kind;
  std::uint64_t first, last;
};

template <class Weight>
Bounds magnitude_bounds(DType dtype, const KeyBracket& bracket) {
  const std::uint64_t first = bracket.first == 0 ? 0 : semantics::largest_within<Weight>(bracket.first - 1) + 1;
  return {int(dtype), first, semantics::largest_within<Weight>(bracket.last)};
}

Bounds bounds_of(const Job& job, const KeyBracket& bracket) {
  if (job.rule.filler == Filler::random) return {key_items, bracket.first, bracket.last};
  switch (job.weights.dtype) {
    case DType::float16: return magnitude_bounds<semantics::Float16>(DType::float16, bracket);
    case DType::bfloat16: return magnitude_bounds<semantics::BFloat16>(DType::bfloat16, bracket);
    case DType::float32: return magnitude_bounds<float>(DType::float32, bracket);
    case DType::float64: break;
  }
  return magnitude_bounds<double>(DType::float64, bracket);
}

const void* read_items(const Job& job, const Tile& tile, KeyTile& buffer) {
  if (job.rule.filler != Filler::random) return read_tile(job.weights, tile.first, tile.size, buffer.weights);
  const Rule& rule = job.rule;
  kernels().random_keys(tile.first, tile.size, rule.seed, rule.tensor, rule.rise, buffer.keys);
  return buffer.keys;
}

}  // namespace

PassCounts& PassCounts::operator+=(const PassCounts& other) {
  above += other.above;
  unlisted += other.unlisted;
  weights += other.weights;
  full_tiles += other.full_tiles;
  steps += other.steps;
  squares_above += other.squares_above;
  squares_reached += other.squares_reached;
  return *this;
}

PassResult pass(const Job& job, std::int64_t stride, const KeyBracket& bracket, bool listing, std::uint32_t* words,
                Team& team) {
  const std::int64_t size = job.weights.size, visited = (tile_count(size) + stride - 1) / stride;
  const Bounds bounds = bounds_of(job, bracket);
  const auto classify = kernels().classify[bounds.kind];
  const bool in_place = job.rule.filler != Filler::random && job.weights.layout.row_major();
  const auto visit = [&](std::int64_t first, std::int64_t next, Worker& worker, PassCounts& counts,
                         SideCounts& before) {
    const Tile tile{0, first, std::min(tile_size, size - first)};
    const void* items = read_items(job, tile, worker.tile);
    const void* next_items = in_place ? open_tile(job.weights, next, worker.tile.weights) : items;
    const std::uint32_t* old = job.old.words ? job.old.words + first / 32 : nullptr;
    std::uint32_t unused[tile_size / 32], *above = words ? words + first / 32 : unused;
    const SideCounts found =
        classify(items, next_items, tile.size, bounds.first, bounds.last, old, above, worker.inside);
    const std::int64_t inside = found.reached - found.above;
    if (inside > 0 && !(listing && team.collect(worker, bounds.kind, items, inside, first))) counts.unlisted += inside;
    counts.above += found.above;
    counts.weights += tile.size;
    if (tile.size < tile_size) return;
    if (++counts.full_tiles > 1) {
      const auto square = [](std::int64_t x) { return x * x; };
      ++counts.steps;
      counts.squares_above += square(found.above - before.above);
      counts.squares_reached += square(found.reached - before.reached);
    }
    before = found;
  };

  team.clear();
  PassCounts total;
  std::mutex merging;
  const int threads = thread_count(team.size(), visited * tile_size);
  parallel(threads, [&](int thread) {
    PassCounts counts;
    SideCounts before;
    const std::int64_t end = visited * (thread + 1) / threads;
    for (std::int64_t index = visited * thread / threads; index < end; ++index)
      visit(index * stride * tile_size, std::min(index + 1, end - 1) * stride * tile_size, team.worker(thread), counts,
            before);
    const std::lock_guard lock(merging);
    total += counts;
  });
  return {total, team.keys()};
}

}  // namespace prunecell::cpu
