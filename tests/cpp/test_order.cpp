#include "cpu/kth_smallest/smallest_limit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace {

using namespace prunecell::cpu;

std::vector<std::vector<std::uint32_t>> lists_of(int kind) {
  std::mt19937 random(std::uint32_t(kind) + 1);
  std::vector<std::vector<std::uint32_t>> lists;
  for (const std::size_t size : {5000u, 0u, 1u, 333u}) {
    auto& list = lists.emplace_back();
    for (std::size_t i = 0; i < size; ++i) {
      const auto number = std::uint32_t(random());
      if (kind == 0) list.push_back(number);
      if (kind == 1) list.push_back(number % 3 * 0x40000000u);   // heavy ties
      if (kind == 2) list.push_back(1u << number % 32);          // spread over all magnitudes
      if (kind == 3) list.push_back(UINT32_MAX - number % 100);  // at the very end
      if (kind == 4) list.push_back(number % 50 ? number % 7 : number);
    }
  }
  return lists;
}

TEST_CASE("smallest_limit is what sorting gives, whatever the keys, lists and ends are") {
  for (int kind = 0; kind < 5; ++kind) {
    const auto lists = lists_of(kind);
    const std::vector<KeyList> views(lists.begin(), lists.end());
    std::vector<std::uint32_t> sorted;
    for (const auto& list : lists) sorted.insert(sorted.end(), list.begin(), list.end());
    std::ranges::sort(sorted, std::greater());
    const auto above = [&](std::uint32_t x) {
      return std::ranges::count_if(sorted, [=](std::uint32_t key) { return key > x; });
    };
    const std::pair<std::uint32_t, std::uint32_t> ends[] = {
        {0, UINT32_MAX}, {1, UINT32_MAX}, {0, 0x80000000u}, {5, 5}, {3, 1u << 20}, {UINT32_MAX - 60, UINT32_MAX}};
    for (const auto& bracket : ends)
      for (const std::int64_t most : {0, 1, 63, 64, 65, 1000, 2600, 5333, 5334}) {
        const std::uint32_t first = bracket.first, last = bracket.second;
        if (above(last) > most) continue;
        // The first key that may not stay, counted from the largest.
        const std::uint32_t expected = most < std::int64_t(sorted.size()) ? sorted[std::size_t(most)] : 0;
        CAPTURE(kind);
        CAPTURE(first);
        CAPTURE(last);
        CAPTURE(most);
        REQUIRE(smallest_limit(views, first, last, most) == std::clamp(expected, first, last));
      }
    for (const std::uint32_t limit : {0u, 6u, 0x40000000u, UINT32_MAX})
      REQUIRE(count_above(views, limit) == above(limit));
  }
}

}  // namespace
