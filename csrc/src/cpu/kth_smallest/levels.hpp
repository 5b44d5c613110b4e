// Brackets of keys on the grid of levels, as weights of one type see them.
#pragma once

#include "fillers/selection.hpp"
#include "semantics/grid.hpp"

#include <cstdint>
#include <optional>

namespace prunecell::cpu {

/// The keys that a limit may have, cut into levels. Off the grid there are none: each key is a limit of its own.
class Levels {
 public:
  /// `need`: weights to prune. None: the bracket of all keys is {0, 0}, exact zeros.
  Levels(const Ranked& ranked, std::int64_t need)
      : delta_(ranked.selection.delta), dtype_(ranked.weights.dtype), on_grid_(ranked.selection.on_grid) {
    if (!on_grid_)
      all_ = {0, UINT32_MAX};
    else if (need > 0)
      all_ = {1, semantics::limit_key(delta_, semantics::max_level)};  // every level prunes key 0
  }

  const KeyBracket& all() const { return all_; }

  std::int64_t of(std::uint32_t key) const { return all_.last == 0 ? 0 : semantics::level_of(delta_, key); }
  KeyBracket keys(std::int64_t level) const {
    if (level == 0) return all_;
    const std::uint32_t first = level == 1 ? all_.first : semantics::limit_key(delta_, level - 1) + 1;
    return {first, semantics::limit_key(delta_, level)};
  }

  /// Whether all weights of a bracket belong to one level, so that none needs to be told from another.
  bool single(const KeyBracket& bracket) const {
    const KeyBracket held = held_by_weights(bracket);
    return on_grid_ && limit(held.first) >= held.last;
  }
  /// Extends the bracket to level boundaries without changing which weights lie inside: to the end of its last level,
  /// and to the whole level where it is a single one.
  KeyBracket extended(const KeyBracket& bracket) const {
    if (!on_grid_) return bracket;
    const KeyBracket held = held_by_weights(bracket), first = keys(of(held.first));
    return held.last <= first.last ? first : KeyBracket{held.first, limit(held.last)};
  }
  /// The last key of the lower of two levels, where all weights of a bracket belong to two.
  std::optional<std::uint32_t> middle(const KeyBracket& bracket) const {
    if (!on_grid_) return std::nullopt;
    const KeyBracket held = held_by_weights(bracket);
    const std::uint32_t middle = limit(held.first);
    if (middle >= held.last) return std::nullopt;
    const KeyBracket rest = held_by_weights({middle + 1, held.last});
    return limit(rest.first) >= held.last ? std::optional(middle) : std::nullopt;
  }
  /// The largest key that goes where `key` does.
  std::uint32_t limit(std::uint32_t key) const {
    return on_grid_ && all_.last > 0 ? semantics::grid_level(delta_, key).limit : on_grid_ ? 0 : key;
  }

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
  bool on_grid_;
  KeyBracket all_;
};

}  // namespace prunecell::cpu
