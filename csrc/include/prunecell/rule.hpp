// Which weights go. Each rule has the parameters that it uses; what they mean, to the bit: docs/semantics.md.
#pragma once

#include <cstdint>
#include <variant>

namespace prunecell {

/// What becomes of a tensor all of whose weights would go though less is asked: they tie, or lie below one step of
/// delta.
enum class Ties : std::uint8_t {
  prune,  ///< all go: the tensor is dead
  keep    ///< its mask is RebuildJob::fallback
};

/// Defaults of rules and of cells (parameters.hpp).
inline constexpr double default_threshold = 0.2, default_delta = 0.001;

/// Nothing goes: the mask stays as it is.
struct None {};

/// need(n, threshold) weights go, by the counter-based numbers of `seed`. Weights that `old` prunes stay pruned.
struct Random {
  float threshold = float(default_threshold);  ///< share of weights to prune, [0, 1]
  std::uint64_t seed = 0;                      ///< see derive_seed() for several cells of one model
  std::uint32_t tensor = 0;                    ///< number of the tensor in its cell
  std::uint32_t rise = 0;                      ///< number of the rise
};

/// All |w| <= k * delta go, for the smallest k that prunes need(n, threshold) weights. Weights that `old` prunes
/// count as 0.
struct IterNonStruct {
  float threshold = float(default_threshold);  ///< share of weights to prune, [0, 1]
  float delta = float(default_delta);          ///< step of the grid, finite and > 0
  Ties ties = Ties::prune;
};

using Rule = std::variant<None, Random, IterNonStruct>;

/// The rules by name, without their parameters.
enum class Filler : std::uint8_t { none, random, iter_nonstruct };

}  // namespace prunecell
