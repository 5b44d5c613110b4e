// What one thread works with while a mask is decided.
#pragma once

#include "keys.hpp"
#include "order.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

namespace prunecell::cpu {

/// Weights in question: their keys, and where they stand in the tensor. Of fixed capacity, touched as it fills.
class Candidates {
 public:
  explicit Candidates(std::int64_t capacity)
      : capacity_(capacity),
        keys_(std::make_unique_for_overwrite<std::uint32_t[]>(std::size_t(capacity))),
        positions_(std::make_unique_for_overwrite<std::int64_t[]>(std::size_t(capacity))) {}

  void clear() { size_ = 0; }
  void reserve(std::int64_t capacity) {
    if (capacity > capacity_) *this = Candidates(capacity);
  }
  std::int64_t size() const { return size_; }
  std::int64_t room() const { return capacity_ - size_; }

  std::uint32_t key(std::int64_t c) const { return keys_[std::size_t(c)]; }
  std::int64_t position(std::int64_t c) const { return positions_[std::size_t(c)]; }
  KeyList keys() const { return {keys_.get(), std::size_t(size_)}; }

  /// Room for all items of the bracket must be there.
  void collect(int kind, const void* items, const InsideTile& inside, std::int64_t base) {
    size_ += kernels().collect[kind](items, inside, base, keys_.get() + size_, positions_.get() + size_);
  }

 private:
  std::int64_t capacity_, size_ = 0;
  std::unique_ptr<std::uint32_t[]> keys_;
  std::unique_ptr<std::int64_t[]> positions_;
};

struct Worker {
  explicit Worker(std::int64_t capacity) : candidates(capacity) {}

  KeyTile tile;
  InsideTile inside;
  Candidates candidates;
};

/// The threads that decide one job together.
using Team = std::span<std::unique_ptr<Worker>>;

}  // namespace prunecell::cpu
