// Brackets of keys, seen as levels of a grid.
#pragma once

#include "semantics/key_bracket.hpp"
#include "semantics/semantics.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>
#include <optional>

namespace prunecell::cpu {

/// The keys that a limit may have, cut into levels. The keys of Random have none: each is a limit of its own.
class Levels {
 public:
  Levels(const Job& job, std::int64_t need)
      : delta_(job.rule.delta), dtype_(job.weights.dtype), graded_(job.rule.filler == Filler::iter_nonstruct) {
    if (!graded_)
      all_ = {0, UINT32_MAX};
    else if (need > 0)
      all_ = {1, semantics::limit_key(delta_, semantics::max_level)};  // every level prunes key 0
  }

  /// {0, 0} where nothing but exact zeros is to go: level 0.
  const KeyBracket& all() const { return all_; }

  std::int64_t of(std::uint32_t key) const { return all_.last == 0 ? 0 : semantics::level_of(delta_, key); }
  KeyBracket keys(std::int64_t level) const {
    if (level == 0) return all_;
    const std::uint32_t first = level == 1 ? all_.first : semantics::limit_key(delta_, level - 1) + 1;
    return {first, semantics::limit_key(delta_, level)};
  }

  /// Whether the weights of a bracket belong to one level, so that none of them needs to be told from another.
  bool single(const KeyBracket& bracket) const {
    const KeyBracket held = held_by_weights(bracket);
    return graded_ && keys(of(held.first)).last >= held.last;
  }
  /// A bracket of the same weights that holds its limits: a key in its last level prunes all of that level. Smaller
  /// keys of its first level go in any case. A single level is whole.
  KeyBracket closed(const KeyBracket& bracket) const {
    if (!graded_) return bracket;
    const KeyBracket held = held_by_weights(bracket), first = keys(of(held.first));
    return held.last <= first.last ? first : KeyBracket{held.first, keys(of(held.last)).last};
  }
  /// The last key of the lower one of two levels, where all weights of a bracket belong to two.
  std::optional<std::uint32_t> middle(const KeyBracket& bracket) const {
    if (!graded_) return std::nullopt;
    const KeyBracket held = held_by_weights(bracket);
    const std::uint32_t middle = keys(of(held.first)).last;
    if (middle >= held.last) return std::nullopt;
    const KeyBracket rest = held_by_weights({middle + 1, held.last});
    return keys(of(rest.first)).last >= held.last ? std::optional(middle) : std::nullopt;
  }
  /// The largest key that goes where `key` does.
  std::uint32_t limit(std::uint32_t key) const { return graded_ ? keys(of(key)).last : key; }

 private:
  /// From the smallest to the largest key of a bracket that weights of the type can have: a fine grid has many levels
  /// between two values of 16 bits. The bracket itself where there is none.
  KeyBracket held_by_weights(const KeyBracket& bracket) const {
    switch (dtype_) {
      case DType::float16: return held_by<semantics::Float16>(bracket);
      case DType::bfloat16: return held_by<semantics::BFloat16>(bracket);
      default: return bracket;
    }
  }
  template <class Weight>
  static KeyBracket held_by(const KeyBracket& bracket) {
    const auto key = [](std::uint64_t magnitude) { return semantics::key(Weight{std::uint16_t(magnitude)}); };
    const std::uint32_t last = key(semantics::largest_within<Weight>(bracket.last));
    const std::uint32_t first = bracket.first == 0 ? 0 : key(semantics::largest_within<Weight>(bracket.first - 1) + 1);
    return first <= last ? KeyBracket{first, last} : bracket;
  }

  float delta_;
  DType dtype_;
  bool graded_;
  KeyBracket all_;
};

}  // namespace prunecell::cpu
