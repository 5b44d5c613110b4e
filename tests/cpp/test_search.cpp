// Tensors of many tiles, where a rebuild on the CPU narrows its bracket by samples of tiles, and data that misleads
// its predictions. A suite of its own: too much for kernels that run on fibers.
#include "axis.hpp"
#include "checks.hpp"

#include "cpu/simd/kernels.hpp"

#include <cmath>
#include <functional>
#include <numbers>
#include <string>

namespace {

using namespace prunecell;
using checks::check_against_reference;
using reference::Weights;

constexpr std::int64_t tile = cpu::tile_size;
/// Sizes with no sample of tiles, with one, with two.
constexpr std::int64_t sizes[] = {9 * tile + 5, 40 * tile, 257 * tile + 1};

/// Value of a weight by its index, the number of weights, and a random number from 0 to 1; exact in float32.
using Value = std::function<double(std::int64_t, std::int64_t, double)>;

double exact(double value) { return double(float(value)); }

double normal(double uniform) {  // the tails thicken as they do for weights; Box and Muller with one fixed angle
  return exact(0.05 * std::sqrt(-2 * std::log(uniform + 1e-9)) * (uniform < 0.5 ? 1 : -1));
}

const std::pair<const char*, Value> data[] = {
    {"normal", [](std::int64_t, std::int64_t, double u) { return normal(u); }},
    {"sorted", [](std::int64_t i, std::int64_t n, double) { return exact(double(i) / double(n)); }},
    {"sorted downwards", [](std::int64_t i, std::int64_t n, double) { return exact(-double(n - i) / double(n)); }},
    {"all equal", [](std::int64_t, std::int64_t, double) { return -0.25; }},
    {"two values at exactly half", [](std::int64_t i, std::int64_t, double) { return i % 2 ? 0.5 : 0.25; }},
    {"two values by chance", [](std::int64_t, std::int64_t, double u) { return u < 0.5 ? 0.5 : 0.25; }},
    {"zeros but for a few", [](std::int64_t, std::int64_t, double u) { return u < 0.02 ? exact(u) : 0.0; }},
    {"one huge outlier", [](std::int64_t i, std::int64_t n, double u) { return i == n / 3 ? 0x1p100 : normal(u); }},
    {"large in the tiles seen first",
     [](std::int64_t i, std::int64_t, double u) { return exact(i / tile % 4 == 0 ? 1 + u : u); }},
    {"small in the tiles seen first",
     [](std::int64_t i, std::int64_t, double u) { return exact(i / tile % 4 == 0 ? u / 1024 : u); }},
    {"two crowded levels of which no sampled tile has weights",
     [](std::int64_t i, std::int64_t, double u) {
       return exact(i / tile % 9 != 0 ? 0.35 + u / 2 : u < 0.5 ? 0.01 : 0.99);
     }},
    {"periodic with the stride of the sample",
     [](std::int64_t i, std::int64_t n, double) { return exact(double(i % (n / 1024)) / double(n)); }},
    {"alike in runs of 16", [](std::int64_t i, std::int64_t, double) { return exact(double(i / 16 * 37 % 1009)); }},
    {"small where all jitter is nil",
     [](std::int64_t i, std::int64_t n, double u) { return exact(i % (n / 8192) < 16 ? u / 1024 : 1 + u); }},
    {"a spike of ties at the share", [](std::int64_t, std::int64_t, double u) { return u < 0.3 ? exact(u) : 0.3125; }},
    {"NaN in places", [](std::int64_t, std::int64_t, double u) { return u < 0.05 ? std::nan("") : exact(u); }},
};

Weights made(const Value& value, std::int64_t size) {
  std::mt19937_64 random(5);
  Weights out(DType::float32, size);
  for (std::int64_t i = 0; i < size; ++i) out.set(i, value(i, size, double(random() >> 11) * 0x1p-53));
  return out;
}

TEST_SUITE_BEGIN("large");

TEST_CASE("no data leads a rebuild to a wrong mask, for coarse and fine grids and any number of threads") {
  for (const auto& kind : data)
    for (const std::int64_t size : sizes) {
      Weights weights = made(kind.second, size);
      const Mask old = reference::random_mask(size);
      for (const float threshold : {0.1f, 0.5f, 0.9f, 0.999f, 1.0f})
        for (const float delta : {0.3f, 0.01f, 1e-9f}) {
          CAPTURE(std::string(kind.first));
          CAPTURE(size);
          CAPTURE(threshold);
          CAPTURE(delta);
          check_against_reference(weights, threshold, delta);
          if (delta == 1e-9f) check_against_reference(weights, threshold, delta, nullptr, 3);
          if (delta == 0.01f) check_against_reference(weights, threshold, delta, &old);
        }
    }
}

TEST_CASE("zeros that are just enough are found, also where the tiles seen first have small weights instead") {
  const Value zeros = [](std::int64_t i, std::int64_t, double u) {
    if (i / tile % 4 == 0) return exact(u < 0.5 ? 1e-6 + u / 1000 : 1 + u);
    return u < 0.14 ? 0.0 : exact(1 + u);
  };
  Weights weights = made(zeros, sizes[2]);
  Result counted;
  const TensorView job = weights.view();
  count_zeros({}, {&job, 1}, {&counted, 1});
  const float share = float(counted.zeros) / float(weights.size());
  REQUIRE(reference::need(weights.size(), share) == counted.zeros);
  for (const float delta : {0.3f, 1e-9f}) check_against_reference(weights, share, delta);
}

TEST_CASE("every type narrows its bracket over many tiles alike") {
  for (const DType dtype : reference::dtypes) {
    Weights ties = reference::ties(dtype, sizes[2]), any = reference::any_bits(dtype, sizes[2]);
    for (const float delta : {1 / 64.0f, 1e-3f, 1e-7f}) {
      CAPTURE(name(dtype));
      CAPTURE(delta);
      check_against_reference(ties, 0.7f, delta, nullptr, 2);
      check_against_reference(any, 0.3f, delta, nullptr, 2);
    }
  }
}

TEST_CASE("many tensors of all sizes in one call get the masks that each gets alone") {
  std::vector<Weights> tensors;
  for (const std::int64_t size : {std::int64_t(1), 100 * tile, std::int64_t(0), 70 * tile + 3, std::int64_t(33), tile})
    tensors.push_back(made(data[0].second, size));
  for (const int threads : {1, 2, 5}) {
    std::vector<Mask> masks;
    std::vector<RebuildJob> jobs;
    for (Weights& weights : tensors) {
      masks.emplace_back(Shape{weights.size()});
      jobs.push_back({.weights = weights.view(), .mask = masks.back().view(), .rule = checks::magnitude(0.9f, 1e-3f)});
    }
    std::vector<Result> results(jobs.size());
    axis::build_masks({.threads = threads}, jobs, results);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const auto expected = reference::iter_nonstruct(tensors[t], 0.9f, 1e-3f);
      REQUIRE(results[t].level == expected.level);
      REQUIRE(reference::bits_of(masks[t]) == expected.kept);
    }
  }
}

TEST_SUITE_END();

}  // namespace
