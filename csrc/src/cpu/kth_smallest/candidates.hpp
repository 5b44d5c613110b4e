// The threads that search together, and the candidates that they collect: weights whose keys lie in the bracket.
#pragma once

#include "cpu/kth_smallest/smallest_limit.hpp"
#include "cpu/memory/arena.hpp"
#include "cpu/memory/key_tile.hpp"
#include "semantics/key_bracket.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

struct Worker;

/// Candidates of one thread, those of a tile in one block. They are collected as weights: keys, and positions in the
/// tensor. Or, whatever their number, as runs: for each tile an entry with the number of its runs (keys) and its first
/// weight (positions), then an entry for each run with its number in the tile (keys) and a bit for each of its 64
/// weights (positions). Memory is touched as a block fills.
struct CandidateBlock {
  static constexpr std::int64_t capacity = tile_size, slack = collect_slack;  ///< what lies in the slack is not read

  const Worker* owner;
  std::int64_t size;
  std::uint32_t keys[capacity + slack];
  std::int64_t positions[capacity + slack];
};

/// Scratch memory of one thread.
struct alignas(thread_alignment) Worker {
  explicit Worker(Arena& arena)
      : tile(arena.take<KeyTile>(1).front()), collected(arena.take<CollectedTile>(1).front()) {}

  static std::size_t bytes() { return Arena::size_of<KeyTile>(1) + Arena::size_of<CollectedTile>(1); }

  KeyTile& tile;
  CollectedTile& collected;
  CandidateBlock* block = nullptr;  ///< the one that fills
};

/// Threads that search together. They share the memory for candidates: a bracket may hold weights of one thread's tiles
/// alone.
class Workers {
 public:
  /// `in_pages`: the weights of the call are so many that they come from memory.
  Workers(std::span<Worker> workers, std::span<CandidateBlock> blocks, bool in_pages)
      : workers_(workers), blocks_(blocks), in_pages_(in_pages) {
    clear();
  }

  int size() const { return int(workers_.size()); }
  bool in_pages() const { return in_pages_; }
  Worker& operator[](int thread) { return workers_[std::size_t(thread)]; }
  /// Weights that can be collected.
  std::int64_t candidate_capacity() const { return std::int64_t(blocks_.size()) * CandidateBlock::capacity; }

  /// Forgets what is collected.
  void clear() {
    for (Worker& worker : workers_) worker.block = nullptr;
    taken_ = 0;
  }

  /// Collects the `count` candidates of a tile as weights. False, and nothing collected, where memory has run out.
  bool collect_weights(Worker& worker, int item_kind, const void* items, std::int64_t count, std::int64_t base) {
    if (!reserve(worker, count)) return false;
    CandidateBlock& block = *worker.block;
    const std::int64_t at = block.size;
    block.size += kernels().collect[item_kind](items, worker.collected, base, block.keys + at, block.positions + at);
    return true;
  }

  /// Collects them as runs.
  bool collect_runs(Worker& worker, std::int64_t base) {
    const CollectedTile& collected = worker.collected;
    if (!reserve(worker, collected.count + 1)) return false;
    CandidateBlock& block = *worker.block;
    block.keys[block.size] = std::uint32_t(collected.count);
    block.positions[block.size] = base;
    ++block.size;
    // As many at a time as most tiles have: a branch on their number is mispredicted.
    for (std::int64_t r = 0; r < collected.count; r += CandidateBlock::slack)
      for (std::int64_t j = r; j < r + CandidateBlock::slack; ++j) {
        block.keys[block.size + j] = collected.run[j];
        block.positions[block.size + j] = std::int64_t(collected.bits[j]);
      }
    block.size += collected.count;
    return true;
  }

  std::span<const CandidateBlock> blocks() const {
    return blocks_.first(std::min<std::size_t>(taken_, blocks_.size()));
  }

  /// The keys of all candidates.
  std::vector<KeyList> keys() const {
    std::vector<KeyList> lists;
    for (const CandidateBlock& block : blocks()) lists.emplace_back(block.keys, std::size_t(block.size));
    return lists;
  }

 private:
  /// Sees to it that the worker's block has space for so many more.
  bool reserve(Worker& worker, std::int64_t count) {
    if (worker.block && worker.block->size + count <= CandidateBlock::capacity) return true;
    const std::size_t next = taken_++;
    if (next >= blocks_.size()) return false;
    blocks_[next].owner = &worker;
    blocks_[next].size = 0;
    worker.block = &blocks_[next];
    return true;
  }

  std::span<Worker> workers_;
  std::span<CandidateBlock> blocks_;
  bool in_pages_;
  std::atomic<std::size_t> taken_ = 0;
};

}  // namespace prunecell::cpu
