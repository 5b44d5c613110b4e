// A PruneCell that threads of Python may share: each call has the cell for itself.
#pragma once

#include <prunecell/prune_cell.hpp>

#include <pybind11/pybind11.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace prunecell::python {

/// Never waits for the cell with the GIL, nor for the GIL with the cell, so that neither can wait for the other. What
/// has the cell runs no Python code, which might come back for the cell.
class SharedCell {
 public:
  explicit SharedCell(PruneCell cell) : cell_(std::move(cell)), in_place(cell_.parameters().in_place) {}

  /// function(cell), with the GIL released.
  template <class Function>
  auto work(Function&& function) {
    const pybind11::gil_scoped_release nogil;
    const std::lock_guard lock(mutex_);
    return function(cell_);
  }

  /// function(cell) for what is done at once: keeps the GIL where the cell is free.
  template <class Function>
  auto ask(Function&& function) {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) return function(cell_);
    return work(function);
  }

  /// Has the cell until the lock goes. Without the GIL.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
  /// For whoever has it.
  PruneCell& cell() { return cell_; }

 private:
  PruneCell cell_;
  std::mutex mutex_;

 public:
  const bool in_place;  ///< parameters never change
};

/// Has many cells at once. In the order of their addresses: two calls over the same cells cannot wait for each other.
class SharedCells {
 public:
  explicit SharedCells(std::vector<SharedCell*> cells) {
    std::ranges::sort(cells);
    const auto repeated = std::ranges::unique(cells);
    cells.erase(repeated.begin(), repeated.end());
    for (SharedCell* cell : cells) locks_.push_back(cell->lock());
  }

 private:
  std::vector<std::unique_lock<std::mutex>> locks_;
};

}  // namespace prunecell::python
