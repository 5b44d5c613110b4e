// The steps that the operations of plugin.cpp are made of, each one or more kernels on the session's stream.
#pragma once

#include "cuda/host/session.hpp"

namespace prunecell::cuda {

/// Decides every job of the batch.
void search(const Session& session);
/// Decides every job by the limit that it has.
void decide_at_limits(const Session& session);
/// Counts what the decisions leave of jobs that may fall back.
void count_survivors(const Session& session);
/// One round of counting in the brackets of the searches, and a census where they ask for one.
void count_round(const Session& session);
/// Writes the masks as decided, and weights where asked; nothing at all where a job failed.
void write(const Session& session, Apply apply);
void apply(const Session& session);
void count_zeros(const Session& session);
void move(const Session& session, Packing packing);

}  // namespace prunecell::cuda
