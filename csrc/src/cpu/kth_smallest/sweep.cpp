#include "cpu/kth_smallest/sweep.hpp"
#include "semantics/semantics.hpp"

#include <algorithm>
#include <mutex>
#include <type_traits>
#include <vector>

namespace prunecell::cpu {
namespace {

/// What a question compares: items of a kind with bounds in their own terms.
struct Comparison {
  int kind;
  Bounds bounds;
};

template <class Weight>
Comparison of_magnitudes(DType dtype, const Question& question) {
  const auto [first, last] = question.bracket;
  return {int(dtype),
          {first == 0 ? 0 : semantics::largest_within<Weight>(first - 1) + 1,
           semantics::largest_within<Weight>(question.middle), semantics::largest_within<Weight>(last)}};
}

Comparison comparison_of(const Job& job, const Question& question) {
  if (job.rule.filler == Filler::random) return {key_items, {question.bracket.first, 0, question.bracket.last}};
  switch (job.weights.dtype) {
    case DType::float16: return of_magnitudes<semantics::Float16>(DType::float16, question);
    case DType::bfloat16: return of_magnitudes<semantics::BFloat16>(DType::bfloat16, question);
    case DType::float32: return of_magnitudes<float>(DType::float32, question);
    case DType::float64: break;
  }
  return of_magnitudes<double>(DType::float64, question);
}

const void* read_items(const Job& job, const Tile& tile, KeyTile& buffer) {
  if (job.rule.filler != Filler::random) return item_at(job.weights, tile.first);
  const Rule& rule = job.rule;
  kernels().random_keys(tile.first, tile.size, rule.seed, rule.tensor, rule.rise, buffer.keys);
  return buffer.keys;
}

/// One thread's part of a pass.
class Visit {
 public:
  Visit(const Job& job, const Question& question, std::uint32_t* words, Team& team, int thread)
      : job_(job),
        comparison_(comparison_of(job, question)),
        list_(question.list),
        classify_(kernels().classify[int(list_)][comparison_.kind]),
        in_place_(job.rule.filler != Filler::random),
        words_(words),
        team_(team),
        worker_(team.worker(thread)) {}

  /// `size` weights from `first` on, or what is left of them. Those from `next` on are fetched; -1: none.
  void operator()(std::int64_t first, std::int64_t size, std::int64_t next) {
    const Tile tile{0, first, std::min(size, job_.weights.size - first)};
    const void* items = read_items(job_, tile, worker_.tile);
    const void* next_items = in_place_ && next >= 0 ? item_at(job_.weights, next) : nullptr;
    const std::uint32_t* old = job_.old.words ? job_.old.words + first / 32 : nullptr;
    std::uint32_t unused[tile_size / 32], *above = words_ ? words_ + first / 32 : unused;
    const SideCounts found = classify_(items, next_items, tile.size, comparison_.bounds, old, above, worker_.listed);
    counts_.unlisted += unlisted(items, first, found);
    counts_.reached += found.reached;
    counts_.upper += found.upper;
    counts_.above += found.above;
    counts_.weights += tile.size;
    if (tile.size == tile_size) add_full(found);
  }

  const PassCounts& counts() const { return counts_; }

 private:
  /// Lists what is to be listed; returns how many weights there was no room for.
  std::int64_t unlisted(const void* items, std::int64_t first, const SideCounts& found) {
    switch (list_) {
      case List::nothing: return 0;
      case List::inside: {
        const std::int64_t count = found.reached - found.above;
        return count == 0 || team_.list_weights(worker_, comparison_.kind, items, count, first) ? 0 : count;
      }
      case List::upper: break;
    }
    const std::int64_t count = found.upper - found.above;
    return count == 0 || team_.list_runs(worker_, first) ? 0 : count;
  }

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
  const Comparison comparison_;
  const List list_;
  const std::remove_all_extents_t<decltype(Kernels::classify)> classify_;
  const bool in_place_;
  std::uint32_t* const words_;
  Team& team_;
  Worker& worker_;
  PassCounts counts_;
  SideCounts before_;  ///< of the full tile before
};

}  // namespace

PassCounts& PassCounts::operator+=(const PassCounts& other) {
  reached += other.reached;
  upper += other.upper;
  above += other.above;
  unlisted += other.unlisted;
  weights += other.weights;
  full_tiles += other.full_tiles;
  steps += other.steps;
  squares_above += other.squares_above;
  squares_reached += other.squares_reached;
  return *this;
}

PassResult pass(const Job& job, std::int64_t stride, const Question& question, std::uint32_t* words, Team& team) {
  team.clear();
  PassCounts total;
  std::mutex merging;
  const bool in_pages = stride == 1 && team.in_pages() && job.rule.filler != Filler::random;  // which reads no weights
  const std::int64_t piece = in_pages ? page_of(job.weights.dtype) : tile_size;
  const std::int64_t step = stride * piece, visited = (job.weights.size + step - 1) / step;
  // A sample, too, has each thread look at the part of the tensor that it will read: in whose caches it may be.
  const int threads = int(std::min<std::int64_t>(team.size(), visited));
  parallel(threads, [&](int thread) {
    Visit visit(job, question, words, team, thread);
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
  return {total, question.list == List::inside ? team.keys() : std::vector<KeyList>()};
}

}  // namespace prunecell::cpu
