// Cuts the tensors of a call into tiles, spreads the tiles over threads, and gives each tile of any layout
// as contiguous memory in logical order.
#pragma once

#include "cpu/simd/kernels.hpp"

#include <prunecell/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include PRUNECELL_PARALLEL_HEADER

namespace prunecell::cpu {

/// Alignment of what a thread writes at every tile: two cache lines, since processors fetch pairs of them.
inline constexpr std::size_t thread_alignment = 128;

struct Tile {
  std::size_t job;
  std::int64_t first;  ///< index in the tensor, a multiple of smallest_page unless tiles were given
  std::int64_t size;
};

inline std::int64_t tile_count(std::int64_t size) { return (size + tile_size - 1) / tile_size; }

/// body(i) for i from `begin` to `end`, by turns from two stretches of them: while a page of one is worked on, hardware
/// fetches what follows the last page of the other. That is faster than one stretch after the other, and than any
/// fetching by software, where i counts pages of arrays that lie in memory, and stretches are not too far apart. With
/// four stretches, what is written gets into the way of what is read.
template <class Body>
void by_turns(std::int64_t begin, std::int64_t end, Body&& body) {
  constexpr std::int64_t stretches = 2, longest = 4096;
  for (; begin < end; begin += stretches * longest) {
    const std::int64_t stop = std::min(end, begin + stretches * longest);
    const std::int64_t length = (stop - begin + stretches - 1) / stretches;
    for (std::int64_t first = begin; first < begin + length; ++first)
      for (std::int64_t i = first; i < stop; i += length) body(i);
  }
}

/// Arrays of so many weights and more, which near caches do not hold, are cut into pages of memory; others into tiles,
/// since each piece has its price.
inline constexpr std::int64_t paged_from = std::int64_t(1) << 23, page_bytes = 4096, smallest_page = page_bytes / 8;

inline std::int64_t page_of(DType dtype) { return page_bytes / std::int64_t(item_size(dtype)); }

/// The arrays of a call, one per job.
struct Arrays {
  std::vector<std::int64_t> sizes;     ///< in items
  std::int64_t page = page_bytes / 4;  ///< items of one page
  std::int64_t weights_per_item = 1;
  std::vector<std::int64_t> tiles = {};  ///< items of one tile of each array; none: pages or tile_size
};

/// The tiles of arrays, numbered through; empty ones have none.
class TileList {
 public:
  explicit TileList(Arrays arrays) : sizes_(std::move(arrays.sizes)), tiles_(std::move(arrays.tiles)) {
    for (const std::int64_t size : sizes_) weights_ += size * arrays.weights_per_item;
    if (tiles_.empty()) tiles_.assign(sizes_.size(), weights_ >= paged_from ? arrays.page : tile_size);
    starts_.push_back(0);
    for (std::size_t job = 0; job < sizes_.size(); ++job)
      starts_.push_back(starts_.back() + (sizes_[job] + tiles_[job] - 1) / tiles_[job]);
  }

  int threads(int requested) const {
    const std::int64_t tiles = std::max<std::int64_t>(starts_.back(), 1);
    return int(std::min<std::int64_t>(thread_count(requested, weights_), tiles));
  }

  /// body(tile, thread) for every tile, in one parallel region; each thread takes a contiguous run of tiles, those of a
  /// job by turns. After a thread's last tile of a job, merge(job, thread), never two at a time.
  template <class Body, class Merge>
  void run(int threads, Body&& body, Merge&& merge) const {
    std::mutex merging;
    parallel(threads, [&](int thread) {
      const std::int64_t begin = share(thread, threads), end = share(thread + 1, threads);
      if (begin == end) return;
      std::size_t job = std::size_t(std::ranges::upper_bound(starts_, begin) - starts_.begin()) - 1;
      for (std::int64_t number = begin; number < end; ++job) {
        const std::int64_t stop = std::min(end, starts_[job + 1]);
        if (number == stop) continue;
        by_turns(number - starts_[job], stop - starts_[job], [&](std::int64_t of_job) {
          const std::int64_t first = of_job * tiles_[job];
          body(Tile{job, first, std::min(tiles_[job], sizes_[job] - first)}, thread);
        });
        number = stop;
        const std::lock_guard lock(merging);
        merge(job, thread);
      }
    });
  }

 private:
  std::int64_t share(int thread, int threads) const {
    const std::int64_t tiles = starts_.back();
    return tiles / threads * thread + std::min<std::int64_t>(thread, tiles % threads);
  }

  std::vector<std::int64_t> sizes_, tiles_, starts_;
  std::int64_t weights_ = 0;
};

/// Memory for one tile of the widest type.
struct TileBuffer {
  alignas(64) std::byte bytes[tile_size * 8];
};

/// The item of a view by its number in memory.
inline std::byte* item_at(const TensorView& view, std::int64_t number) {
  return static_cast<std::byte*>(view.data) + number * std::int64_t(item_size(view.dtype));
}

/// The tile's items: in place where the view is row-major, else gathered into `buffer`.
void* read_tile(const TensorView& view, std::int64_t first, std::int64_t size, TileBuffer& buffer);

/// Where to write the tile's items: in place, or `buffer`, from which finish_tile() scatters them.
inline void* open_tile(const TensorView& view, std::int64_t first, TileBuffer& buffer) {
  return view.layout.row_major() ? item_at(view, first) : buffer.bytes;
}
void finish_tile(const TensorView& view, std::int64_t first, std::int64_t size, const TileBuffer& buffer);

}  // namespace prunecell::cpu
