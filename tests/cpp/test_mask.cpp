#include "reference.hpp"

#include <prunecell/error.hpp>
#include <prunecell/mask.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace {

using namespace prunecell;

TEST_CASE("a new mask keeps all weights and no more") {
  for (const std::int64_t size : reference::sizes) {
    const Mask mask({size});
    CHECK(mask.size() == size);
    CHECK(mask.zeros() == 0);
    CHECK(reference::tail_is_clear(mask));
    for (std::int64_t i = 0; i < size; ++i) REQUIRE(mask.kept(i));
  }
}

TEST_CASE("a default mask is an empty one") {
  const Mask mask;
  CHECK(mask.size() == 0);
  CHECK(mask.zeros() == 0);
  CHECK(mask.saved().empty());
  CHECK(Mask(mask).size() == 0);
}

TEST_CASE("element counts: a scalar has one, empty extents none, too many are refused") {
  CHECK(element_count({}) == 1);
  CHECK(element_count({3, 0, 5}) == 0);
  CHECK(element_count({3, 4, 5}) == 60);
  CHECK(element_count({INT64_MAX}) == INT64_MAX);
  CHECK_THROWS_AS(element_count({INT64_MAX, 2}), InvalidArgument);
  CHECK_THROWS_WITH_AS(element_count({2, -1}), "shape: expected 0 or more, got -1", InvalidArgument);
}

TEST_CASE("saved rows are whole bytes with zero padding, whatever the number of columns") {
  for (std::int64_t columns = 0; columns < 70; ++columns) {
    Mask mask({5, columns});
    const Mask bits = reference::random_mask(5 * columns, std::uint32_t(columns));
    std::copy_n(bits.view().words, word_count(bits.size()), mask.view().words);
    const std::vector<std::byte> saved = mask.saved();
    const std::int64_t row_bytes = (columns + 7) / 8;
    REQUIRE(std::int64_t(saved.size()) == 5 * row_bytes);
    REQUIRE(saved.size() == Mask::saved_size({5, columns}));
    for (std::int64_t row = 0; row < 5; ++row)
      for (std::int64_t bit = 0; bit < row_bytes * 8; ++bit) {
        const bool expected = bit < columns && mask.kept(row * columns + bit);
        const bool found = (saved[std::size_t(row * row_bytes + bit / 8)] >> (bit % 8) & std::byte(1)) != std::byte(0);
        REQUIRE(found == expected);
      }
    const Mask again = Mask::from_saved({5, columns}, saved);
    REQUIRE(reference::bits_of(again) == reference::bits_of(mask));
    REQUIRE(reference::tail_is_clear(again));
  }
}

TEST_CASE("padding bits are ignored and sizes checked") {
  const std::vector<std::byte> all(6, std::byte(0xff));
  const Mask mask = Mask::from_saved({3, 9}, all);
  CHECK(mask.zeros() == 0);
  CHECK(reference::tail_is_clear(mask));
  CHECK_THROWS_WITH_AS(Mask::from_saved({3, 17}, all), "saved mask: expected 9 bytes, got 6", InvalidArgument);
}

TEST_CASE("a scalar and empty shapes have a saved form") {
  CHECK(Mask::saved_size({}) == 1);
  CHECK(Mask::saved_size({0, 9}) == 0);
  CHECK(Mask::saved_size({9, 0}) == 0);
  CHECK(Mask(Shape{}).saved() == std::vector<std::byte>{std::byte(1)});
}

TEST_CASE("copies own their bits, assigned bits keep the storage") {
  Mask mask({100});
  Mask copy = mask;
  copy.view().words[0] = 0;
  CHECK(copy.zeros() == 32);
  CHECK(mask.zeros() == 0);
  const std::uint32_t* words = mask.view().words;
  mask.assign_bits(copy);
  CHECK(mask.zeros() == 32);
  CHECK(mask.view().words == words);
  CHECK_THROWS_AS(mask.assign_bits(Mask({99})), InvalidArgument);
  Mask moved = std::move(copy);
  CHECK(moved.zeros() == 32);
  copy = mask;
  CHECK(copy.zeros() == 32);
}

}  // namespace
