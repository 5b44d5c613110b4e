#include "order.hpp"
#include "kernels.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace prunecell::cpu {
namespace {

/// So many keys are looked at one by one.
constexpr std::int64_t few = 64;

/// The x of smallest_limit() where at most `few` keys lie from first to last: `above` are above last.
std::uint32_t among_few(std::span<const KeyList> lists, std::uint32_t first, std::uint32_t last, std::int64_t above,
                        std::int64_t most) {
  std::array<std::uint32_t, few> inside;
  std::int64_t found = 0, smaller = 0;
  for (const KeyList& list : lists)
    for (std::size_t at = 0; at < list.size(); at += tile_size) {
      const std::int64_t n = std::min<std::int64_t>(std::int64_t(list.size() - at), tile_size);
      found += kernels().split(list.data() + at, n, first, last, inside.data() + found, smaller);
    }
  const std::int64_t spared = most - above;
  if (spared >= found) return first;
  std::ranges::nth_element(inside.begin(), inside.begin() + spared, inside.begin() + found, std::greater());
  return inside[std::size_t(spared)];
}

}  // namespace

std::int64_t count_above(std::span<const KeyList> lists, std::uint32_t limit) {
  std::int64_t count = 0;
  for (const KeyList& list : lists) count += kernels().count_above(list.data(), std::int64_t(list.size()), limit);
  return count;
}

std::uint32_t smallest_limit(std::span<const KeyList> lists, std::uint32_t first, std::uint32_t last,
                             std::int64_t most) {
  std::int64_t above = count_above(lists, last), from_first = 0;
  if (first > 0)
    from_first = count_above(lists, first - 1);
  else
    for (const KeyList& list : lists) from_first += std::int64_t(list.size());
  // By interpolation, aimed by turns at a little less and a little more than what is looked for, so that both ends
  // close in; each third step halves the range, whatever the keys are.
  for (int step = 0; first < last && from_first - above > few; ++step) {
    const double aim = double(most) + (step % 3 == 0 ? -1 : 1) * double(few) / 3;
    const double share = step % 3 == 2 ? 0.5 : (double(from_first) - aim) / double(from_first - above);
    const auto middle = first + std::uint32_t(std::clamp(share, 0.0, 1.0) * double(last - first - 1));
    const std::int64_t count = count_above(lists, middle);
    if (count <= most) {
      last = middle;
      above = count;
    } else {
      first = middle + 1;
      from_first = count;
    }
  }
  return first == last ? first : among_few(lists, first, last, above, most);
}

}  // namespace prunecell::cpu
