#include "sample.hpp"
#include "../bits.hpp"
#include "keys.hpp"
#include "order.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace prunecell::cpu {
namespace {

template <std::size_t Item, class Place>
void gather(const TensorView& weights, std::size_t count, std::byte* out, Place&& place) {
  const auto* data = static_cast<const std::byte*>(weights.data);
  for (std::size_t s = 0; s < count; ++s)
    std::memcpy(out + s * Item, data + memory_offset(weights.layout, place(s)) * std::int64_t(Item), Item);
}

}  // namespace

Sample::Sample(const Job& job) {
  constexpr std::int64_t most = 1024;
  const std::int64_t n = job.weights.size, count = std::min(n, most), stride = n / count;
  const auto place = [=](std::size_t s) {
    const std::uint64_t jitter = (s * 0x9e3779b97f4a7c15u >> 32) * std::uint64_t(stride) >> 32;
    return std::int64_t(s) * stride + std::int64_t(jitter);
  };
  keys_.resize(std::size_t(count));
  std::byte items[most * 8];
  switch (item_size(job.weights.dtype)) {
    case 2: gather<2>(job.weights, keys_.size(), items, place); break;
    case 4: gather<4>(job.weights, keys_.size(), items, place); break;
    default: gather<8>(job.weights, keys_.size(), items, place); break;
  }
  kernels().magnitude_keys[int(job.weights.dtype)](items, count, keys_.data());
  if (!job.old.words) return;
  for (std::size_t s = 0; s < keys_.size(); ++s)
    if (!kept(job.old, place(s))) keys_[s] = 0;
}

KeyBracket Sample::bracket(const KeyBracket& known, double kept) const {
  const KeyList list = keys_;
  const std::int64_t beyond = count_above({&list, 1}, known.last);
  const auto limit = [&](double rank) {
    return smallest_limit({&list, 1}, known.first, known.last, std::max(std::int64_t(rank), beyond));
  };
  const double size = double(keys_.size());
  const double rank = kept * size, margin = 4 * std::sqrt(kept * (1 - kept) * size) + 2;  // standard deviations
  return {limit(rank + margin), rank - margin >= double(beyond) ? limit(rank - margin) : known.last};
}

}  // namespace prunecell::cpu
