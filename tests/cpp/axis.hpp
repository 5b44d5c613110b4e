// The device that the suite runs on. The operations under the names of the library: on the CPU they are the library's;
// where the program was started with --cuda, the memory of each call goes to device memory and back, so that every case
// that calls them tests the kernels.
#pragma once

#include <prunecell/level_search.hpp>
#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>

#include <span>

namespace axis {

using namespace prunecell;

/// Device 0 with --cuda, else the CPU.
Device device();
inline bool on_cuda() { return device().kind == Device::Kind::cuda; }
void use(Device device);

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results);
void rebuild_and_apply(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results);
void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits,
              std::span<Result> results, bool apply = false);
void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results);
void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results);
void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace axis
