// The threads that decide a mask together, and the weights that they list as being in question.
#pragma once

#include "../key_search.hpp"
#include "arena.hpp"
#include "keys.hpp"
#include "order.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace prunecell::cpu {

struct Worker;

/// Weights in question: their keys, and where they stand in the tensor. All of a tile are in one block. Touched as it
/// fills.
struct CandidateBlock {
  static constexpr std::int64_t capacity = tile_size;

  const Worker* owner;
  std::int64_t size;
  std::uint32_t keys[capacity + 1];
  std::int64_t positions[capacity + 1];
};

/// What one thread works with.
struct alignas(thread_alignment) Worker {
  explicit Worker(Arena& arena) : tile(arena.take<KeyTile>(1).front()), inside(arena.take<InsideTile>(1).front()) {}

  static std::size_t bytes() { return Arena::size_of<KeyTile>(1) + Arena::size_of<InsideTile>(1); }

  KeyTile& tile;
  InsideTile& inside;
  CandidateBlock* block = nullptr;  ///< that fills up
};

/// Threads with their candidates, for which they share room: a bracket may hold weights of one thread's tiles alone.
class Team {
 public:
  Team(std::span<Worker> workers, std::span<CandidateBlock> blocks) : workers_(workers), blocks_(blocks) { clear(); }

  int size() const { return int(workers_.size()); }
  Worker& worker(int thread) { return workers_[std::size_t(thread)]; }
  /// How many candidates there may be.
  std::int64_t room() const { return std::int64_t(blocks_.size()) * CandidateBlock::capacity; }

  /// Forgets all candidates.
  void clear() {
    for (Worker& worker : workers_) worker.block = nullptr;
    taken_ = 0;
  }

  /// Lists the `count` weights of a tile that lie inside a bracket. False, and nothing listed, where room has run out.
  bool collect(Worker& worker, int kind, const void* items, std::int64_t count, std::int64_t base) {
    if (!worker.block || worker.block->size + count > CandidateBlock::capacity) {
      const std::size_t next = taken_++;
      if (next >= blocks_.size()) return false;
      blocks_[next].owner = &worker;
      blocks_[next].size = 0;
      worker.block = &blocks_[next];
    }
    CandidateBlock& block = *worker.block;
    const std::int64_t at = block.size;
    block.size += kernels().collect[kind](items, worker.inside, base, block.keys + at, block.positions + at);
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
  std::span<Worker> workers_;
  std::span<CandidateBlock> blocks_;
  std::atomic<std::size_t> taken_ = 0;
};

}  // namespace prunecell::cpu
