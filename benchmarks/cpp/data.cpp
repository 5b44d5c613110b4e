#include "data.hpp"
#include "number.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <numbers>
#include <stdexcept>
#include <tuple>

namespace benchmarks {
namespace {

std::string real_path;

/// 64 random bits of number i: the SplitMix64 generator, jumped to its i-th output.
std::uint64_t random_bits(std::int64_t i) {
  std::uint64_t x = (std::uint64_t(i) + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

float open_unit(std::uint64_t bits) { return (float(bits >> 40) + 0.5f) * 0x1p-24f; }

float gauss(std::int64_t i) {  // Box and Muller
  const std::uint64_t bits = random_bits(i);
  const float radius = std::sqrt(-2 * std::log((float(std::uint32_t(bits)) + 0.5f) * 0x1p-32f));
  return radius * std::cos(2 * std::numbers::pi_v<float> * open_unit(bits));
}

float sign(std::int64_t i) { return random_bits(i) & 1 ? 1.0f : -1.0f; }

float normal(std::int64_t i) { return sigma * gauss(i); }

float laplace(std::int64_t i) {
  return sign(i) * -std::log(open_unit(random_bits(i))) * sigma / std::numbers::sqrt2_v<float>;
}

float uniform(std::int64_t i) { return sign(i) * open_unit(random_bits(i)) * sigma * std::numbers::sqrt3_v<float>; }

/// The magnitude depends on the position in a period that divides every power of two from 256 on: a sample of such
/// a stride sees one position only.
float periodic(std::int64_t i) { return normal(i) * (0.1f + float(i % 256) / 128); }

float two_values(std::int64_t i) { return sign(i) * (random_bits(i) % 10 < 6 ? 0.02f : 0.08f); }

float ties(std::int64_t i) { return sign(i) * sigma; }

float outlier(std::int64_t i) { return i == 4321 ? 1e30f : normal(i); }

float zeros(std::int64_t i) { return random_bits(i) % 20 ? 0.0f : normal(i); }

float sprinkled_nan(std::int64_t i) {
  return random_bits(i) % 1000 ? normal(i) : std::numeric_limits<float>::quiet_NaN();
}

float blocks(std::int64_t i) { return normal(i) * (i / 4096 % 2 ? 10.0f : 0.1f); }

using Element = float (*)(std::int64_t);
const std::map<std::string, Element> elements = {
    {"normal", normal}, {"laplace", laplace}, {"uniform", uniform}, {"periodic", periodic}, {"two_values", two_values},
    {"ties", ties},     {"outlier", outlier}, {"zeros", zeros},     {"nan", sprinkled_nan}, {"blocks", blocks}};

void fill(const Tensor& tensor, auto&& element) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < tensor.size; ++i) store(tensor.view(), i, element(i));
}

/// Normal weights by magnitude: ascending, or up and down again.
void fill_sorted(const Tensor& tensor, bool organ_pipe) {
  std::vector<float> values(std::size_t(tensor.size));
  fill_normal(values.data(), 0, tensor.size, sigma);
  std::ranges::sort(values, {}, [](float x) { return std::fabs(x); });
  fill(tensor, [&](std::int64_t i) {
    const std::int64_t mirrored = i < tensor.size / 2 ? 2 * i : 2 * (tensor.size - 1 - i) + 1;
    return values[std::size_t(organ_pipe ? std::min(mirrored, tensor.size - 1) : i)];
  });
}

void fill_real(const Tensor& tensor) {
  if (tensor.size > real_weight_count()) throw std::invalid_argument("not so many real weights are there");
  std::vector<float> values(std::size_t(tensor.size));
  std::ifstream file(real_path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), std::streamsize(tensor.size) * 4);
  if (!file) throw std::invalid_argument("cannot read " + real_path);
  fill(tensor, [&](std::int64_t i) { return values[std::size_t(i)]; });
}

}  // namespace

void set_real_weights(const std::string& path) { real_path = path; }

std::int64_t real_weight_count() {
  return real_path.empty() ? 0 : std::int64_t(std::filesystem::file_size(real_path) / sizeof(float));
}

void fill_normal(float* out, std::int64_t first, std::int64_t size, float deviation) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < size; ++i) out[i] = deviation * gauss(first + i);
}

std::shared_ptr<const Tensor> weights(const std::string& data, DType dtype, std::int64_t size) {
  using Key = std::tuple<std::string, DType, std::int64_t>;
  static Key kept_key;
  static std::shared_ptr<const Tensor> kept;
  const Key key = {data, dtype, size};
  if (kept && kept_key == key) return kept;
  kept.reset();
  auto made = std::make_shared<const Tensor>(dtype, size);
  if (const auto found = elements.find(data); found != elements.end())
    fill(*made, found->second);
  else if (data == "sorted" || data == "organ_pipe")
    fill_sorted(*made, data == "organ_pipe");
  else if (data == "real")
    fill_real(*made);
  else
    throw std::invalid_argument("no data is named " + data);
  kept_key = key;
  return kept = made;
}

}  // namespace benchmarks
