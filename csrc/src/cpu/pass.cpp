#include "pass.hpp"
#include "../semantics.hpp"

#include <algorithm>
#include <mutex>
#include <type_traits>

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

/// One thread's part of a pass.
class Visit {
 public:
  Visit(const Job& job, const KeyBracket& bracket, bool listing, std::uint32_t* words, Team& team, int thread)
      : job_(job),
        bounds_(bounds_of(job, bracket)),
        classify_(kernels().classify[bounds_.kind]),
        in_place_(job.rule.filler != Filler::random && job.weights.layout.row_major()),
        listing_(listing),
        words_(words),
        team_(team),
        worker_(team.worker(thread)) {}

  /// `size` weights from `first` on, or what is left of them. Those from `next` on are fetched; -1: none.
  void operator()(std::int64_t first, std::int64_t size, std::int64_t next) {
    const Tile tile{0, first, std::min(size, job_.weights.size - first)};
    const void* items = read_items(job_, tile, worker_.tile);
    const void* next_items = in_place_ && next >= 0 ? open_tile(job_.weights, next, worker_.tile.weights) : nullptr;
    const std::uint32_t* old = job_.old.words ? job_.old.words + first / 32 : nullptr;
    std::uint32_t unused[tile_size / 32], *above = words_ ? words_ + first / 32 : unused;
    const SideCounts found =
        classify_(items, next_items, tile.size, bounds_.first, bounds_.last, old, above, worker_.inside);
    const std::int64_t inside = found.reached - found.above;
    if (inside > 0 && !(listing_ && team_.collect(worker_, bounds_.kind, items, inside, first)))
      counts_.unlisted += inside;
    counts_.above += found.above;
    counts_.weights += tile.size;
    if (tile.size == tile_size) add_full(found);
  }

  const PassCounts& counts() const { return counts_; }

 private:
  void add_full(const SideCounts& found) {
    if (++counts_.full_tiles > 1) {
      const auto square = [](std::int64_t x) { return x * x; };
      ++counts_.steps;
      counts_.squares_above += square(found.above - before_.above);
      counts_.squares_reached += square(found.reached - before_.reached);
    }
    before_ = found;
  }

  const Job& job_;
  const Bounds bounds_;
  const std::remove_extent_t<decltype(Kernels::classify)> classify_;
  const bool in_place_, listing_;
  std::uint32_t* const words_;
  Team& team_;
  Worker& worker_;
  PassCounts counts_;
  SideCounts before_;  ///< of the full tile before
};

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
  team.clear();
  PassCounts total;
  std::mutex merging;
  const std::int64_t piece = stride == 1 && job.weights.size >= paged_from ? page : tile_size;
  const std::int64_t step = stride * piece, visited = (job.weights.size + step - 1) / step;
  // A sample, too, has each thread look at the part of the tensor that it will read: in whose caches it may be.
  const int threads = int(std::min<std::int64_t>(team.size(), visited));
  parallel(threads, [&](int thread) {
    Visit visit(job, bracket, listing, words, team, thread);
    const std::int64_t begin = visited * thread / threads, end = visited * (thread + 1) / threads;
    if (stride == 1) {
      by_turns(begin, end, [&](std::int64_t index) { visit(index * step, piece, -1); });
    } else {  // one after the other, so that their counts are compared, and fetched ahead, which hardware cannot do
      for (std::int64_t index = begin; index < end; ++index)
        visit(index * step, piece, index + 1 < end ? (index + 1) * step : -1);
    }
    const std::lock_guard lock(merging);
    total += visit.counts();
  });
  return {total, team.keys()};
}

}  // namespace prunecell::cpu
