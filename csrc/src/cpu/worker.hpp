// What one thread works with while a mask is decided.
#pragma once

#include "../key_search.hpp"
#include "arena.hpp"
#include "keys.hpp"
#include "order.hpp"

#include <cstdint>
#include <span>

namespace prunecell::cpu {

/// Weights in question: their keys, and where they stand in the tensor. Of fixed capacity, touched as it fills.
class Candidates {
 public:
  Candidates(Arena& arena, std::size_t capacity)
      : keys_(arena.take<std::uint32_t>(capacity)), positions_(arena.take<std::int64_t>(capacity)) {}

  static std::size_t bytes(std::size_t capacity) {
    return Arena::size_of<std::uint32_t>(capacity) + Arena::size_of<std::int64_t>(capacity);
  }

  void clear() { size_ = 0; }
  std::int64_t room() const { return std::int64_t(keys_.size()) - size_; }
  KeyList keys() const { return keys_.first(std::size_t(size_)); }
  std::span<const std::int64_t> positions() const { return positions_.first(std::size_t(size_)); }

  /// Strikes off all whose keys lie outside the bracket; above(position, whether the key is beyond its end) for each.
  template <class Above>
  void narrow(const KeyBracket& bracket, Above&& above) {
    std::int64_t stay = 0;
    for (std::int64_t c = 0; c < size_; ++c) {
      const std::uint32_t key = keys_[std::size_t(c)];
      const std::int64_t position = positions_[std::size_t(c)];
      above(position, key > bracket.last);  // without a branch: none could be foretold
      keys_[std::size_t(stay)] = key;
      positions_[std::size_t(stay)] = position;
      stay += key >= bracket.first && key <= bracket.last;
    }
    size_ = stay;
  }

  /// There must be room for all of them.
  void collect(int kind, const void* items, const InsideTile& inside, std::int64_t base) {
    size_ += kernels().collect[kind](items, inside, base, keys_.data() + size_, positions_.data() + size_);
  }

 private:
  std::span<std::uint32_t> keys_;
  std::span<std::int64_t> positions_;
  std::int64_t size_ = 0;
};

struct Worker {
  Worker(Arena& arena, std::size_t capacity)
      : tile(arena.take<KeyTile>(1).front()), inside(arena.take<InsideTile>(1).front()), candidates(arena, capacity) {}

  static std::size_t bytes(std::size_t capacity) {
    return Arena::size_of<KeyTile>(1) + Arena::size_of<InsideTile>(1) + Candidates::bytes(capacity);
  }

  KeyTile& tile;
  InsideTile& inside;
  Candidates candidates;
};

/// The threads that decide one job together.
using Team = std::span<Worker>;

}  // namespace prunecell::cpu
