// What one operation works on, named once: name and fields of its row, its tensor, its job.
#pragma once

#include "data.hpp"
#include "harness.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

namespace benchmarks {

using prunecell::Context;
using prunecell::Filler;
using prunecell::RebuildJob;
using prunecell::Result;

inline constexpr std::int64_t power(int exponent) { return std::int64_t(1) << exponent; }

struct Workload {
  std::string group;  ///< the rows of one target of docs/performance.md
  std::string data = "normal";
  DType dtype = DType::float32;
  std::int64_t size = power(24);
  float threshold = 0.9f;
  float delta = 1e-3f;
  int threads = 1;
  Filler filler = Filler::iter_nonstruct;
  bool mask_is_new = true;

  std::string name() const;
  Fields fields() const;
  Context context() const { return {{}, threads}; }
  std::shared_ptr<const Tensor> tensor() const { return weights(data, dtype, size); }
  RebuildJob job(const Tensor& tensor, const Bits& mask) const;
};

/// Threads of a yardstick: one where more would only wait for each other.
int floor_threads(std::int64_t bytes, int threads);

/// The operation on one job.
template <class Job>
Result once(void (*operation)(const Context&, std::span<const Job>, std::span<Result>), const Context& context,
            const Job& job) {
  Result result;
  operation(context, {&job, 1}, {&result, 1});
  return result;
}

/// The job that applies the mask of another one in place.
inline prunecell::ApplyJob applying(const RebuildJob& job) { return {.weights = job.weights, .mask = job.mask}; }

// One function per file rows_*.cpp.
void add_memory_rows(const Options& options);
void add_rebuild_rows(const Options& options);
void add_busy_rows(const Options& options);
void add_adversarial_rows(const Options& options);
void add_size_rows(const Options& options);
void add_apply_rows(const Options& options);
void add_network_rows(const Options& options);
void add_random_rows(const Options& options);
void add_layout_rows(const Options& options);
void add_pack_rows(const Options& options);
void add_cell_rows(const Options& options);
void add_reference_rows(const Options& options);

/// The row "rebuild the mask" against one read of the tensor.
void add_rebuild(const Options& options, Workload workload);

}  // namespace benchmarks
