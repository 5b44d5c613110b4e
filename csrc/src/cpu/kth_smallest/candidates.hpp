// The threads that decide a mask together, and the weights that they list as being in question.
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

/// Weights in question: their keys, and where they stand in the tensor. Or of each tile, how many runs of 64 weights it
/// has of which some are in question, and where it begins; then those runs: number within the tile, and a bit for each
/// weight. All of a tile is in one block. Touched as it fills.
struct CandidateBlock {
  static constexpr std::int64_t capacity = tile_size, slack = collect_slack;  ///< what lies in the slack is not read

  const Worker* owner;
  std::int64_t size;
  std::uint32_t keys[capacity + slack];
  std::int64_t positions[capacity + slack];
};

/// What one thread works with.
struct alignas(thread_alignment) Worker {
  explicit Worker(Arena& arena) : tile(arena.take<KeyTile>(1).front()), listed(arena.take<ListedTile>(1).front()) {}

  static std::size_t bytes() { return Arena::size_of<KeyTile>(1) + Arena::size_of<ListedTile>(1); }

  KeyTile& tile;
  ListedTile& listed;
  CandidateBlock* block = nullptr;  ///< that fills up
};

/// Threads with their candidates, for which they share room: a bracket may hold weights of one thread's tiles alone.
class Team {
 public:
  /// `in_pages`: the weights of the call are many, so that they come from memory.
  Team(std::span<Worker> workers, std::span<CandidateBlock> blocks, bool in_pages)
      : workers_(workers), blocks_(blocks), in_pages_(in_pages) {
    clear();
  }

  int size() const { return int(workers_.size()); }
  bool in_pages() const { return in_pages_; }
  Worker& worker(int thread) { return workers_[std::size_t(thread)]; }
  /// How many weights may be listed by themselves.
  std::int64_t room() const { return std::int64_t(blocks_.size()) * CandidateBlock::capacity; }

  /// Forgets what is listed.
  void clear() {
    for (Worker& worker : workers_) worker.block = nullptr;
    taken_ = 0;
  }

  /// Lists the `count` weights of a tile that are marked as listed. False, and nothing listed, where room has run
  /// out.
  bool list_weights(Worker& worker, int kind, const void* items, std::int64_t count, std::int64_t base) {
    if (!make_room(worker, count)) return false;
    CandidateBlock& block = *worker.block;
    const std::int64_t at = block.size;
    block.size += kernels().collect[kind](items, worker.listed, base, block.keys + at, block.positions + at);
    return true;
  }

  /// The same of the runs of a tile, whatever their weights are.
  bool list_runs(Worker& worker, std::int64_t base) {
    const ListedTile& listed = worker.listed;
    if (!make_room(worker, listed.count + 1)) return false;
    CandidateBlock& block = *worker.block;
    block.keys[block.size] = std::uint32_t(listed.count);
    block.positions[block.size] = base;
    ++block.size;
    // Some more than there are, as many at a time as most tiles have: their number could not be foretold.
    for (std::int64_t r = 0; r < listed.count; r += CandidateBlock::slack)
      for (std::int64_t j = r; j < r + CandidateBlock::slack; ++j) {
        block.keys[block.size + j] = listed.run[j];
        block.positions[block.size + j] = std::int64_t(listed.bits[j]);
      }
    block.size += listed.count;
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
  /// A block of the worker with room for so many more.
  bool make_room(Worker& worker, std::int64_t count) {
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
