// What a back end offers to ops.cpp, which has checked every argument before it calls.
#pragma once

#include <prunecell/level_search.hpp>
#include <prunecell/ops.hpp>

#include <span>

namespace prunecell {

/// What a rebuild does with the weights after it has decided the mask.
enum class Apply : bool { no, yes };

namespace cpu {

/// Decides all levels (throwing before anything is written), then writes masks and, if asked, weights.
void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply);
void apply_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void count_zeros(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace cpu

/// The same on CUDA devices. Results are filled after waiting for the stream, unless there are none or the context has
/// a ticket.
namespace cuda {

void rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results, Apply apply);
void apply_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void count_zeros(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);
void count_levels(const Context& context, std::span<const LevelJob> jobs);

}  // namespace cuda
}  // namespace prunecell
