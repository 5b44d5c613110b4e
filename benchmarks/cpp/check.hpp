// Is a result right? Counted one weight after the other from docs/semantics.md, without a line of the library.
// Every function throws std::runtime_error that says what is wrong.
#pragma once

#include <prunecell/ops.hpp>

#include <cstdint>

namespace benchmarks {

using prunecell::MaskView;
using prunecell::RebuildJob;
using prunecell::Result;
using prunecell::TensorView;

/// The level is the smallest that prunes enough, and the mask is that of the level. `old`: the mask in force before.
/// The weights are those that the rebuild read.
void check_iter_nonstruct(const RebuildJob& job, const Result& result, MaskView old = {});

/// The mask prunes the elements of the smallest random numbers, as many as asked for. `old`: as above.
void check_random(const RebuildJob& job, const Result& result, MaskView old = {});

/// `after` is `before` where the mask keeps, and +0 elsewhere.
void check_applied(const TensorView& before, const TensorView& after, MaskView mask);

/// `packed` is the kept weights in their order.
void check_packed(const TensorView& weights, MaskView mask, const TensorView& packed);

/// One mask word per weight, 0 for pruned: the reference's form of the same mask.
void check_words(MaskView mask, const std::uint32_t* words);

}  // namespace benchmarks
