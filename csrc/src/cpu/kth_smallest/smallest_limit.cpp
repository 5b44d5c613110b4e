#include "cpu/kth_smallest/smallest_limit.hpp"
#include "cpu/simd/kernels.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace prunecell::cpu {
namespace {

/// Where a limit lies: in [first, last], with `above` keys above last and `reached` from first on.
struct Range {
  std::uint32_t first, last;
  std::int64_t above, reached;

  std::int64_t inside() const { return reached - above; }
};

/// Closes in on the limit above which there are at most `most` keys until no more than `few` lie in the range. By
/// interpolation, aimed by turns at a little less and a little more than what is looked for, so that both ends close
/// in; each third step halves the range, whatever the keys are.
void close_in(std::span<const KeyList> lists, Range& range, std::int64_t most, std::int64_t few) {
  for (int step = 0; range.first < range.last && range.inside() > few; ++step) {
    const double aim = double(most) + (step % 3 == 0 ? -1 : 1) * double(few) / 3;
    const double share = step % 3 == 2 ? 0.5 : (double(range.reached) - aim) / double(range.inside());
    const auto middle = range.first + std::uint32_t(std::clamp(share, 0.0, 1.0) * double(range.last - range.first - 1));
    const std::int64_t count = count_above(lists, middle);
    if (count <= most) {
      range.last = middle;
      range.above = count;
    } else {
      range.first = middle + 1;
      range.reached = count;
    }
  }
}

/// Copies the keys in the range to `out`, which holds all of them.
KeyList gather(std::span<const KeyList> lists, const Range& range, std::span<std::uint32_t> out) {
  std::int64_t found = 0, smaller = 0;
  for (const KeyList& list : lists)
    for (std::size_t at = 0; at < list.size(); at += tile_size) {
      const std::int64_t n = std::min<std::int64_t>(std::int64_t(list.size() - at), tile_size);
      found += kernels().split(list.data() + at, n, range.first, range.last, out.data() + found, smaller);
    }
  return out.first(std::size_t(found));
}

}  // namespace

std::int64_t count_above(std::span<const KeyList> lists, std::uint32_t limit) {
  std::int64_t count = 0;
  for (const KeyList& list : lists) count += kernels().count_above(list.data(), std::int64_t(list.size()), limit);
  return count;
}

std::uint32_t smallest_limit(std::span<const KeyList> lists, std::uint32_t first, std::uint32_t last,
                             std::int64_t most) {
  std::int64_t all = 0;
  for (const KeyList& list : lists) all += std::ssize(list);
  Range range{first, last, count_above(lists, last), first > 0 ? count_above(lists, first - 1) : all};

  constexpr std::int64_t many = 4096, few = 64;  // so many are copied, to be counted faster; looked at one by one
  close_in(lists, range, most, all > 4 * many ? many : few);
  if (range.first == range.last) return range.first;
  std::array<std::uint32_t, many> copies;
  const KeyList inside = gather(lists, range, copies);
  Range closer{range.first, range.last, 0, range.inside()};
  most -= range.above;
  close_in({&inside, 1}, closer, most, few);
  if (closer.first == closer.last) return closer.first;
  std::array<std::uint32_t, few> rest;
  const KeyList last_few = gather({&inside, 1}, closer, rest);
  const std::int64_t spared = most - closer.above;
  if (spared >= std::ssize(last_few)) return closer.first;
  std::ranges::nth_element(rest.begin(), rest.begin() + spared, rest.begin() + std::ssize(last_few), std::greater());
  return rest[std::size_t(spared)];
}

}  // namespace prunecell::cpu
