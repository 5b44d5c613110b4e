// Building masks by their rules, with or without applying them.
#include "api/backend.hpp"
#include "cpu/decide.hpp"

namespace prunecell::cpu {

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results, Apply apply) {
  commit(context, jobs, decide(context, jobs), results, apply);
}

}  // namespace prunecell::cpu
