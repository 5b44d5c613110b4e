#include "cpu/memory/memory_order.hpp"
#include "cpu/memory/tiles.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace prunecell::cpu {
namespace {

/// The part that one of `rows` interleaved rows has in a word: every rows-th bit from bit `first` on.
Interleaving part_of(std::int64_t rows, std::int64_t first, std::int64_t before) {
  const std::int64_t count = (63 - first) / rows + 1;
  Interleaving part{.before = std::uint64_t(before)};
  // A product has bit k at k + j * (rows - 1) for each j, and at its place for j = k. No two of them meet as long as
  // there are fewer bits than rows.
  for (std::int64_t k = 0; k < count; ++k) {
    part.lowest |= std::uint64_t(1) << k;
    part.places |= std::uint64_t(1) << (first + k * rows);
    part.factor |= std::uint64_t(1) << (first + k * (rows - 1));
    part.inverse |= std::uint64_t(1) << (k * (rows - 1));
  }
  if (count >= rows) part.factor = 0;
  part.shift = int(first + (count - 1) * (rows - 1));
  return part;
}

std::vector<Interleaving> interleaving_of(std::int64_t rows) {
  std::vector<Interleaving> parts;
  if (rows > most_interleaved) return parts;
  for (std::int64_t word = 0; word < rows; ++word)
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t before = (64 * word - row + rows - 1) / rows;
      parts.push_back(part_of(rows, before * rows + row - 64 * word, before));
    }
  return parts;
}

/// Transposes images of rows by columns of bits.
struct Transposition {
  std::int64_t rows, columns;
  std::vector<Interleaving> interleaving;  ///< of the lesser extent

  /// Bits that a thread writes at a time, in whole words: 64 rows to be and more, or whole images where these are small
  /// or are not to be taken apart.
  std::int64_t tile() const {
    constexpr std::int64_t small = 16 * tile_size;
    const std::int64_t image = rows * columns;
    const bool whole = image <= small || !interleaving.empty();
    const std::int64_t least = whole ? image * (32 / std::gcd(image, std::int64_t(32))) : 64 * rows;
    return (tile_size + least - 1) / least * least;
  }

  /// The bits of a tile to be, to `out`.
  void write(const Reordering& mask, const Tile& tile, std::uint64_t* out) const {
    BitMatrix image{.words = mask.from,
                    .word_count = std::uint64_t(word_count(mask.size)),
                    .first_bit = 0,
                    .rows = std::uint64_t(rows),
                    .columns = std::uint64_t(columns),
                    .interleaving = interleaving.empty() ? nullptr : interleaving.data()};
    const std::int64_t begin = tile.first / rows, end = begin + tile.size / rows;  // rows to be, of all images
    for (std::int64_t row = begin; row < end;) {
      const std::int64_t first = row % columns, last = std::min(columns, first + end - row);
      image.first_bit = std::uint64_t((row - first) * rows);
      kernels().transpose_bits(image, std::uint64_t(first), std::uint64_t(last), out,
                               std::uint64_t((row - begin) * rows));
      row += last - first;
    }
  }
};

void transpose(const Context& context, std::span<const Reordering> masks, std::int64_t Layout::*rows,
               std::int64_t Layout::*columns) {
  if (masks.empty()) return;
  std::vector<Transposition> transpositions;
  Arrays arrays;
  for (const Reordering& mask : masks) {
    const std::int64_t height = mask.layout.*rows, width = mask.layout.*columns;
    transpositions.push_back({height, width, interleaving_of(std::min(height, width))});
    arrays.sizes.push_back(mask.size);
    arrays.tiles.push_back(transpositions.back().tile());
  }
  std::int64_t largest = 0;
  for (std::size_t m = 0; m < masks.size(); ++m)
    largest = std::max(largest, std::min(arrays.sizes[m], arrays.tiles[m]));
  const TileList tiles(std::move(arrays));
  const int threads = tiles.threads(context.threads);
  const std::int64_t words = (largest + 63) / 64 + 1;
  const auto buffers = std::make_unique_for_overwrite<std::uint64_t[]>(std::size_t(threads * words));
  tiles.run(
      threads,
      [&](const Tile& tile, int thread) {
        const Reordering& mask = masks[tile.job];
        std::uint64_t* const out = buffers.get() + thread * words;
        std::fill_n(out, (tile.size + 63) / 64 + 1, std::uint64_t(0));
        transpositions[tile.job].write(mask, tile, out);
        std::memcpy(mask.to + tile.first / 32, out, std::size_t(word_count(tile.size)) * sizeof(std::uint32_t));
      },
      [](std::size_t, int) {});
}

}  // namespace

void to_memory_order(const Context& context, std::span<const Reordering> masks) {
  transpose(context, masks, &Layout::channels, &Layout::positions);
}

void to_logical_order(const Context& context, std::span<const Reordering> masks) {
  transpose(context, masks, &Layout::positions, &Layout::channels);
}

void MasksInMemoryOrder::run(const Context& context) {
  if (masks_.empty()) return;
  std::int64_t words = 0;
  for (const Moved& moved : masks_) words += word_count(moved.mask->size);
  words_ = std::make_unique_for_overwrite<std::uint32_t[]>(std::size_t(words));
  std::vector<Reordering> reorderings;
  std::uint32_t* next = words_.get();
  for (const auto& [layout, mask] : masks_) {
    reorderings.push_back({layout, mask->size, mask->words, next});
    mask->words = next;
    next += word_count(mask->size);
  }
  to_memory_order(context, reorderings);
}

RankedInMemoryOrder::RankedInMemoryOrder(const Context& context, std::span<Ranked> ranked) : moved_(ranked.size()) {
  for (std::size_t r = 0; r < ranked.size(); ++r) {
    moved_[r] = scattered(ranked[r].weights) && ranked[r].selection.ranks_magnitudes();
    if (!moved_[r]) continue;
    old_.add(ranked[r].weights.layout, ranked[r].old);
    ranked[r].weights.layout = {};
  }
  old_.run(context);
}

bool alike(const ApplyJob& job) {
  const auto fits = [&](const TensorView& view) { return !view.data || view.layout == job.weights.layout; };
  return fits(job.out) && fits(job.otherwise);
}

ApplyJob as_row_major(const ApplyJob& job) {
  ApplyJob out = job;
  out.weights.layout = out.out.layout = out.otherwise.layout = {};
  return out;
}

ApplyInMemoryOrder::ApplyInMemoryOrder(const Context& context, std::span<const ApplyJob> jobs) : given_(jobs) {
  const auto moves = [](const ApplyJob& job) { return scattered(job.weights) && alike(job); };
  if (std::ranges::none_of(jobs, moves)) return;
  own_.assign(jobs.begin(), jobs.end());
  for (ApplyJob& job : own_) {
    if (!moves(job)) continue;
    masks_.add(job.weights.layout, job.mask);
    job = as_row_major(job);
  }
  masks_.run(context);
}

}  // namespace prunecell::cpu
