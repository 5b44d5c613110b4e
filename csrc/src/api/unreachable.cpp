#include "api/unreachable.hpp"
#include "api/text.hpp"

#include <prunecell/error.hpp>

namespace prunecell {

void throw_unreachable_threshold(const std::string& tensor, float threshold, float delta, std::int64_t need,
                                 const Census& census) {
  throw UnreachableThreshold(tensor + ": threshold " + to_text(threshold) + " asks for " + to_text(need) + " of " +
                             to_text(census.size) + " weights, but only " + to_text(census.reachable) +
                             " lie within any multiple of delta " + to_text(delta) + "; out of reach are " +
                             to_text(census.nan) + " NaN, " + to_text(census.inf) + " Inf in float32 and " +
                             to_text(census.finite) + " finite weights");
}

}  // namespace prunecell
