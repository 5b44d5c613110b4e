// Building masks, with or without applying them: each operation decides, then commits.
#include "api/backend.hpp"
#include "cpu/decide.hpp"

namespace prunecell::cpu {

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results, Apply apply) {
  commit(context, jobs, decide(context, jobs), results, apply);
}

void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results,
              std::span<const Limit> limits, Apply apply) {
  commit(context, jobs, decide_at(context, jobs, limits), results, apply);
}

}  // namespace prunecell::cpu
