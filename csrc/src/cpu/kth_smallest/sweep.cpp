#include "cpu/kth_smallest/sweep.hpp"
#include "cpu/kth_smallest/comparison.hpp"

#include <algorithm>
#include <mutex>
#include <type_traits>
#include <vector>

namespace prunecell::cpu {
namespace {

/// One thread's part of a sweep.
class Visit {
 public:
  Visit(const Ranked& ranked, const SweepTask& task, std::uint32_t* words, Workers& workers, int thread)
      : ranked_(ranked),
        comparison_(comparison_of(ranked, task.bracket, task.middle)),
        collect_(task.collect),
        classify_(kernels().classify[int(collect_)][comparison_.item_kind]),
        words_(words),
        workers_(workers),
        worker_(workers[thread]) {}

  /// `size` weights from `first` on, or what is left of them. Those from `next` on are fetched; -1: none.
  void operator()(std::int64_t first, std::int64_t size, std::int64_t next) {
    const Tile tile{0, first, std::min(size, ranked_.weights.size - first)};
    const void* items = read_items(ranked_, tile, worker_.tile);
    const bool fetches = next >= 0 && !ranked_.selection.draws_numbers();
    const void* next_items = fetches ? item_at(ranked_.weights, next) : nullptr;
    const std::uint32_t* old = ranked_.old.words ? ranked_.old.words + first / 32 : nullptr;
    std::uint32_t unused[tile_size / 32], *kept = words_ ? words_ + first / 32 : unused;
    const ClassCounts found = classify_(items, next_items, tile.size, comparison_.bounds, old, kept, worker_.collected);
    counts_.not_collected += collect(items, first, found);
    counts_.not_rejected += found.not_rejected;
    counts_.kept_with_upper += found.kept_with_upper;
    counts_.kept += found.kept;
    counts_.weights += tile.size;
    if (tile.size == tile_size) add_full(found);
  }

  const SweepCounts& counts() const { return counts_; }

 private:
  /// Collects the candidates of the tile. Returns how many there was no memory for.
  std::int64_t collect(const void* items, std::int64_t first, const ClassCounts& found) {
    switch (collect_) {
      case Collect::nothing: return 0;
      case Collect::candidates: {
        const std::int64_t count = found.not_rejected - found.kept;
        const int kind = comparison_.item_kind;
        return count == 0 || workers_.collect_weights(worker_, kind, items, count, first) ? 0 : count;
      }
      case Collect::upper_level: break;
    }
    const std::int64_t count = found.kept_with_upper - found.kept;
    return count == 0 || workers_.collect_runs(worker_, first) ? 0 : count;
  }

  void add_full(const ClassCounts& found) {
    if (++counts_.full_tiles > 1) {
      const auto square = [](std::int64_t x) { return x * x; };
      ++counts_.steps;
      counts_.squares_kept += square(found.kept - before_.kept);
      counts_.squares_not_rejected += square(found.not_rejected - before_.not_rejected);
    }
    before_ = found;
  }

  const Ranked& ranked_;
  const Comparison comparison_;
  const Collect collect_;
  const std::remove_all_extents_t<decltype(Kernels::classify)> classify_;
  std::uint32_t* const words_;
  Workers& workers_;
  Worker& worker_;
  SweepCounts counts_;
  ClassCounts before_;  ///< of the full tile before
};

}  // namespace

SweepCounts& SweepCounts::operator+=(const SweepCounts& other) {
  not_rejected += other.not_rejected;
  kept_with_upper += other.kept_with_upper;
  kept += other.kept;
  not_collected += other.not_collected;
  weights += other.weights;
  full_tiles += other.full_tiles;
  steps += other.steps;
  squares_kept += other.squares_kept;
  squares_not_rejected += other.squares_not_rejected;
  return *this;
}

SweepResult sweep(const Ranked& ranked, std::int64_t stride, const SweepTask& task, std::uint32_t* words,
                  Workers& workers) {
  workers.clear();
  SweepCounts total;
  std::mutex merging;
  const bool reads = !ranked.selection.draws_numbers();
  const std::int64_t piece = stride == 1 && workers.in_pages() && reads ? page_of(ranked.weights.dtype) : tile_size;
  const std::int64_t step = stride * piece, visited = (ranked.weights.size + step - 1) / step;
  // A sample, too, has each thread look at the part of the tensor that it will read: in whose caches it may be.
  const int threads = int(std::min<std::int64_t>(workers.size(), visited));
  parallel(threads, [&](int thread) {
    Visit visit(ranked, task, words, workers, thread);
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
  return {total, task.collect == Collect::candidates ? workers.keys() : std::vector<KeyList>()};
}

}  // namespace prunecell::cpu
