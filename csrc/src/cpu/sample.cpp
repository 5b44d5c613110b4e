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
void gather(const TensorView& weights, std::size_t first, std::size_t count, std::byte* out, Place&& place) {
  const auto* data = static_cast<const std::byte*>(weights.data);
  for (std::size_t s = 0; s < count; ++s)
    std::memcpy(out + s * Item, data + memory_offset(weights.layout, place(first + s)) * std::int64_t(Item), Item);
}

}  // namespace

Sample::Sample(const Job& job, std::int64_t count) : keys_(std::size_t(count)) {
  const std::int64_t stride = job.weights.size / count;
  const auto place = [=](std::size_t s) {
    const std::uint64_t jitter = (s * 0x9e3779b97f4a7c15u >> 32) * std::uint64_t(stride) >> 32;
    return std::int64_t(s) * stride + std::int64_t(jitter);
  };
  constexpr std::size_t run = 1024;
  std::byte items[run * 8];
  for (std::size_t first = 0; first < keys_.size(); first += run) {
    const std::size_t n = std::min(run, keys_.size() - first);
    switch (item_size(job.weights.dtype)) {
      case 2: gather<2>(job.weights, first, n, items, place); break;
      case 4: gather<4>(job.weights, first, n, items, place); break;
      default: gather<8>(job.weights, first, n, items, place); break;
    }
    kernels().magnitude_keys[int(job.weights.dtype)](items, std::int64_t(n), keys_.data() + first);
  }
  if (!job.old.words) return;
  for (std::size_t s = 0; s < keys_.size(); ++s)
    if (!kept(job.old, place(s))) keys_[s] = 0;
}

KeyBracket Sample::bracket(const KeyBracket& known, double kept, double widest) const {
  const KeyList list = keys_;
  const std::int64_t beyond = count_above({&list, 1}, known.last);
  const auto limit = [&](double rank) {
    return smallest_limit({&list, 1}, known.first, known.last, std::max(std::int64_t(rank), beyond));
  };
  const double size = double(keys_.size()), rank = kept * size;
  const double margin = std::min(3 * std::sqrt(kept * (1 - kept) * size), widest * size / 2) + 2;
  return {limit(rank + margin), rank - margin >= double(beyond) ? limit(rank - margin) : known.last};
}

KeyBracket uniform_bracket(const KeyBracket& known, std::int64_t wanted, std::int64_t keys) {
  const double draws = double(keys), share = double(wanted) / draws;
  const double margin = 6 * std::sqrt(share * (1 - share) / draws) + 2 / draws;
  const auto key_at = [&](double p) {
    return std::clamp(std::uint32_t(std::clamp(p * 0x1p32, 0.0, 0x1p32 - 1)), known.first, known.last);
  };
  return {key_at(share - margin), key_at(share + margin)};
}

}  // namespace prunecell::cpu
