// What a back end offers to ops.cpp, which has checked every argument before it calls.
#pragma once

#include <prunecell/level_search.hpp>
#include <prunecell/ops.hpp>

#include <span>

namespace prunecell {

/// Whether masks are applied once they are built.
enum class Apply : bool { no, yes };

/// One result per job, filled before the call returns. Masks are decided, throwing before anything is written, and
/// then written.
namespace cpu {

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results, Apply apply);
void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results,
              std::span<const Limit> limits, Apply apply);
void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results);
void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results);
void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace cpu

/// The same on CUDA devices. Results are filled after waiting for the stream, unless there are none or the context has
/// pending results.
namespace cuda {

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results, Apply apply);
void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results,
              std::span<const Limit> limits, Apply apply);
void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results);
void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results);
void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace cuda
}  // namespace prunecell
