// Order statistics of unsorted keys.
#pragma once

#include <cstdint>
#include <span>

namespace prunecell::cpu {

using KeyList = std::span<const std::uint32_t>;

std::int64_t count_above(std::span<const KeyList> lists, std::uint32_t limit);

/// Smallest x in [first, last] above which there are at most `most` keys; not more may be above `last`. Takes a few
/// counts over the lists where keys are spread evenly between first and last, at most some sixty anywhere.
std::uint32_t smallest_limit(std::span<const KeyList> lists, std::uint32_t first, std::uint32_t last,
                             std::int64_t most);

}  // namespace prunecell::cpu
