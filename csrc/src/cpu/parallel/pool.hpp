// Threads that help with the work of callers. A caller never waits for a thread that has not begun, as it would at the
// end of an OpenMP region: on a machine whose cores are busy such a thread may be a scheduler's slice away. See
// docs/adr/0013.
#pragma once

#include <cstdint>

namespace prunecell::cpu {

/// call(work, share) for each share from 0 to `shares` - 1, by the caller and by threads of the pool. Returns when all
/// are done. `call` must not throw.
void run_shares(int shares, void (*call)(void* work, int share), void* work);

}  // namespace prunecell::cpu
