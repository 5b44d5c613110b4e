#include "cpu/kth_smallest/sample.hpp"
#include "api/bits.hpp"
#include "cpu/kth_smallest/smallest_limit.hpp"
#include "cpu/memory/tiles.hpp"
#include "cpu/simd/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace prunecell::cpu {
namespace {

/// Runs are fetched so many before their use: each is on a line of its own, where hardware does not expect it.
constexpr std::int64_t ahead = 32;

/// Copies `runs` runs of `length` items of `Item` bytes, from data + place(run) * Item on.
template <std::size_t Item, class Place>
void gather(const std::byte* data, std::int64_t runs, std::int64_t length, std::byte* out, Place&& place) {
  const auto address = [&](std::int64_t run) { return data + place(run) * std::int64_t(Item); };
  if (length == 1) {
    for (std::int64_t run = 0; run < runs; ++run) std::memcpy(out + std::size_t(run) * Item, address(run), Item);
    return;
  }
  for (std::int64_t run = 0; run < std::min(ahead, runs); ++run) __builtin_prefetch(address(run));
  for (std::int64_t run = 0; run < runs; ++run) {
    if (run + ahead < runs) __builtin_prefetch(address(run + ahead));
    std::memcpy(out, address(run), std::size_t(length) * Item);
    out += std::size_t(length) * Item;
  }
}

}  // namespace

Sample::Sample(const Ranked& ranked, std::int64_t count, std::int64_t run) : run_(run), keys_(std::size_t(count)) {
  const TensorView& weights = ranked.weights;
  const std::uint32_t* old = ranked.old.words;
  const std::int64_t stride = weights.size / (count / run);
  const auto place = [=](std::int64_t number) {
    const std::uint64_t jitter =
        (std::uint64_t(number) * 0x9e3779b97f4a7c15u >> 32) * std::uint64_t(stride / run) >> 32;
    return number * stride + std::int64_t(jitter) * run;
  };
  const auto* data = static_cast<const std::byte*>(weights.data);
  constexpr std::int64_t block = 1024;
  std::byte items[block * 8];
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t n = std::min(block, count - first), runs = n / run;
    const auto place_of = [&](std::int64_t number) { return place(first / run + number); };
    switch (item_size(weights.dtype)) {
      case 2: gather<2>(data, runs, run, items, place_of); break;
      case 4: gather<4>(data, runs, run, items, place_of); break;
      default: gather<8>(data, runs, run, items, place_of); break;
    }
    kernels().magnitude_keys[int(weights.dtype)](items, n, keys_.data() + first);
  }
  if (!old) return;
  for (std::int64_t k = 0; k < count; k += run) {
    if (k + ahead * run < count) __builtin_prefetch(old + place(k / run + ahead) / 32);
    const std::int64_t first = place(k / run);
    for (std::int64_t i = 0; i < run; ++i) {
      const auto index = std::uint64_t(first + i);
      keys_[std::size_t(k + i)] &= 0u - (old[index / 32] >> (index % 32) & 1u);
    }
  }
}

/// Variance of the number of keys above the limit, from what differs between a run and the next: weights side by side
/// are alike, so that many runs say less than as many single weights would.
double Sample::variance_above(std::uint32_t limit) const {
  std::int64_t before = 0, squares = 0;
  for (std::size_t first = 0; first < keys_.size(); first += std::size_t(run_)) {
    std::int64_t above = 0;
    for (std::int64_t i = 0; i < run_; ++i) above += keys_[first + std::size_t(i)] > limit;
    if (first > 0) squares += (above - before) * (above - before);
    before = above;
  }
  return double(squares) / 2;
}

KeyBracket Sample::bracket(const KeyBracket& within, double kept, double widest) const {
  const KeyList list = keys_;
  const std::int64_t beyond = count_above({&list, 1}, within.last);
  const auto limit = [&](double rank) {
    return smallest_limit({&list, 1}, within.first, within.last, std::max(std::int64_t(rank), beyond));
  };
  const double size = double(keys_.size()), rank = kept * size;
  const double binomial = kept * (1 - kept) * size;
  const double variance = run_ > 1 ? std::max(binomial, variance_above(limit(rank))) : binomial;
  const double margin = std::min(deviations * std::sqrt(variance), widest * size / 2) + 2;
  return {limit(rank + margin), rank - margin >= double(beyond) ? limit(rank - margin) : within.last};
}

}  // namespace prunecell::cpu
