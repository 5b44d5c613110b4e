// The weights that operations are measured on, by name. Equal names, types and sizes give equal bits, on any machine.
#pragma once

#include "memory.hpp"

#include <memory>
#include <string>
#include <vector>

namespace benchmarks {

/// Standard deviation of the smooth distributions: 90 % of normal weights are then 83 steps of 0.001.
inline constexpr float sigma = 0.05f;

/// Distributions that networks have; "real" are trained weights.
inline const std::vector<std::string> smooth_data = {"normal", "laplace", "uniform"};

/// Distributions and orders chosen to mislead a sample or to fill one level.
inline const std::vector<std::string> adversarial_data = {"sorted", "periodic", "two_values", "ties",      "outlier",
                                                          "zeros",  "nan",      "blocks",     "organ_pipe"};

/// File of raw float32 that "real" reads; empty: there are no real weights.
void set_real_weights(const std::string& path);
/// Number of weights in that file.
std::int64_t real_weight_count();

/// Throws std::invalid_argument for an unknown name, or for more real weights than there are.
/// The latest tensor is kept and given out again.
std::shared_ptr<const Tensor> weights(const std::string& data, DType dtype, std::int64_t size);

/// `size` normal weights of a standard deviation of their own, float32, as numbers from `first` on.
void fill_normal(float* out, std::int64_t first, std::int64_t size, float deviation);

}  // namespace benchmarks
