// Brackets of keys, seen as levels of a grid.
#pragma once

#include "../key_search.hpp"
#include "../semantics.hpp"

#include <prunecell/ops.hpp>

#include <cstdint>

namespace prunecell::cpu {

/// The keys that a limit may have, cut into levels. The keys of Random have none: each is a limit of its own.
class Levels {
 public:
  Levels(const Rule& rule, std::int64_t need) : delta_(rule.delta), graded_(rule.filler == Filler::iter_nonstruct) {
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

  /// Whether the keys of a bracket belong to one level, so that none of them needs to be told from another.
  bool single(const KeyBracket& bracket) const { return graded_ && keys(of(bracket.first)).last >= bracket.last; }
  /// A bracket that holds its limits: a key in its last level prunes all of that level. Smaller keys of its first level
  /// go in any case. A single level is whole.
  KeyBracket closed(const KeyBracket& bracket) const {
    if (!graded_) return bracket;
    const KeyBracket first = keys(of(bracket.first));
    return bracket.last <= first.last ? first : KeyBracket{bracket.first, keys(of(bracket.last)).last};
  }
  /// The largest key that goes where `key` does.
  std::uint32_t limit(std::uint32_t key) const { return graded_ ? keys(of(key)).last : key; }

 private:
  float delta_;
  bool graded_;
  KeyBracket all_;
};

}  // namespace prunecell::cpu
