#include "reference.hpp"

#include "semantics/semantics.hpp"

#include <doctest/doctest.h>

namespace {

using namespace prunecell;
namespace s = prunecell::semantics;

constexpr float deltas[] = {0.001f, 0.01f, 0x1p-10f, 1e-10f, 1e-38f, 7e-45f, 0x1p-149f, 1e28f, 3e38f};

std::vector<std::int64_t> levels() {
  std::vector<std::int64_t> out = {0, 1, 2, 3, 1 << 24, (1 << 24) + 1, (1 << 24) + 3, INT64_MAX - 1, INT64_MAX};
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) out.push_back(std::int64_t(random() >> (1 + random() % 63)));
  return out;
}

/// Doubles around every kind of border: float32 neighbours, halfway points, the denormals of both types.
std::vector<double> doubles() {
  std::vector<double> out = {0.0,
                             0x1p-1074,
                             0x1p-150,
                             0x1p-149,
                             0x1p-126,
                             0x1.fffffep127,
                             0x1.ffffffp127,
                             1e308,
                             std::numeric_limits<double>::infinity()};
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) {
    const auto f = std::bit_cast<float>(std::uint32_t(random() % 0x7f800000u));
    const double next = double(std::nextafter(f, INFINITY));
    for (const double w : {double(f), (double(f) + next) / 2, double(f) + (next - double(f)) / 1024}) out.push_back(w);
    out.push_back(std::bit_cast<double>(random() & 0x7fefffffffffffffu));
  }
  const std::size_t finite = out.size();
  for (std::size_t i = 0; i < finite; ++i) {
    out.push_back(std::nextafter(out[i], INFINITY));
    out.push_back(std::nextafter(out[i], 0.0));
    out.push_back(-out[i]);
  }
  return out;
}

TEST_CASE("a limit is one float32 product") {
  for (const float delta : deltas)
    for (const std::int64_t k : levels())
      REQUIRE(s::limit_key(delta, k) == std::bit_cast<std::uint32_t>(reference::limit(delta, k)));
}

TEST_CASE("the level of a key is the smallest whose limit reaches it") {
  std::mt19937 random(4);
  for (const float delta : deltas) {
    const std::uint32_t last = s::limit_key(delta, s::max_level);
    for (int i = 0; i < 500; ++i) {
      const std::uint32_t key = i < 10 ? std::min<std::uint32_t>(std::uint32_t(i), last)
                                       : std::uint32_t(random() % (std::uint64_t(last) + 1));
      const std::int64_t level = s::level_of(delta, key);
      REQUIRE(level >= 1);
      REQUIRE(s::limit_key(delta, level) >= key);
      if (level > 1) REQUIRE(s::limit_key(delta, level - 1) < key);
    }
  }
}

TEST_CASE("every half has the key of its value as float32") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double value = std::abs(reference::half_value(std::uint16_t(bits)));
    const std::uint32_t key = s::key(s::Float16{std::uint16_t(bits)});
    if (std::isnan(value))
      REQUIRE(key > s::inf_key);
    else
      REQUIRE(key == std::bit_cast<std::uint32_t>(float(value)));
  }
}

TEST_CASE("every bfloat16 has the key of its value as float32") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits)
    REQUIRE(s::key(s::BFloat16{std::uint16_t(bits)}) == (bits & 0x7fffu) << 16);
}

TEST_CASE("keys of NaN lie above every limit, in every type") {
  CHECK(s::key(std::numeric_limits<float>::quiet_NaN()) > s::inf_key);
  CHECK(s::key(-std::numeric_limits<double>::quiet_NaN()) > s::inf_key);
  CHECK(s::key(std::numeric_limits<double>::signaling_NaN()) > s::inf_key);
  CHECK(s::key(std::numeric_limits<float>::infinity()) == s::inf_key);
  CHECK(s::key(-std::numeric_limits<double>::infinity()) == s::inf_key);
}

TEST_CASE("a float64 compares with any float32 limit by its key as by its value") {
  for (const double w : doubles()) {
    const std::uint32_t key = s::key(w);
    // The key is that of a float32 not below |w| ...
    REQUIRE(key <= s::inf_key);
    REQUIRE(double(std::bit_cast<float>(key)) >= std::abs(w));
    // ... and of the smallest such one: then both comparisons agree for every limit.
    if (key > 0) REQUIRE(double(std::bit_cast<float>(key - 1)) < std::abs(w));
  }
}

TEST_CASE("flushed denormals change no key, no limit, no level") {
  const std::vector<double> weights = doubles();
  const std::vector<std::int64_t> all_levels = levels();
  std::vector<std::uint32_t> keys, limits, half_keys;
  const auto compute = [&](std::vector<std::uint32_t>& k, std::vector<std::uint32_t>& l,
                           std::vector<std::uint32_t>& h) {
    for (const double w : weights) k.push_back(s::key(w));
    for (const float delta : deltas)
      for (const std::int64_t level : all_levels) l.push_back(s::limit_key(delta, level));
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) h.push_back(s::key(s::Float16{std::uint16_t(bits)}));
  };
  compute(keys, limits, half_keys);
  std::vector<std::uint32_t> flushed_keys, flushed_limits, flushed_halves;
  if (!reference::with_flushed_denormals([&] { compute(flushed_keys, flushed_limits, flushed_halves); })) return;
  CHECK(flushed_keys == keys);
  CHECK(flushed_limits == limits);
  CHECK(flushed_halves == half_keys);
}

TEST_CASE("need is the smallest count that reaches the share") {
  constexpr float shares[] = {0.0f, 1e-45f, 1e-9f, 0.05f, 0.1f, 0.3f, 0.5f, 0.9f, 0x1.fffffep-1f, 1.0f};
  for (const float share : shares) {
    for (std::int64_t n = 0; n < 3000; ++n) REQUIRE(s::need(n, share) == reference::need(n, share));
    for (const std::int64_t n : {std::int64_t(1) << 24, (std::int64_t(1) << 24) - 1, std::int64_t(12345678901)})
      CHECK(s::need(n, share) == reference::need(n, share));
  }
  CHECK(s::need(20, 0.05f) == 1);
}

TEST_CASE("Philox4x32-10 gives the answers that its authors published") {
  const auto zeros = s::philox(0, 0, 0, 0);
  CHECK(zeros.word[0] == 0x6627e8d5u);
  CHECK(zeros.word[1] == 0xe169c58du);
  CHECK(zeros.word[2] == 0xbc57ac4cu);
  CHECK(zeros.word[3] == 0x9b00dbd8u);
  const auto pi = s::philox(0x85a308d3243f6a88u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822u);
  CHECK(pi.word[0] == 0xd16cfe09u);
  CHECK(pi.word[1] == 0x94fdccebu);
  CHECK(pi.word[2] == 0x5001e420u);
  CHECK(pi.word[3] == 0x24126ea1u);
}

}  // namespace
