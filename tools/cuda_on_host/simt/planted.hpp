// Kernels with one fault each, and their sound twins. Each function runs the twin or the faulty one and tells whether
// the result is as it should be.
#pragma once

namespace planted {

// planted_blocks.cu
bool dropped_barrier(bool sound);
bool barrier_in_divergent_code(bool sound);
bool barriers_in_two_branches(bool sound);
bool uninitialised_shared_memory(bool sound);
bool shared_overrun(bool sound);
bool non_atomic_increment(bool sound);
bool check_then_act(bool sound);
bool race_between_blocks(bool sound);
bool missing_fence(bool sound);
bool endless_wait(bool sound);

// planted_memory.cu
bool dropped_tail(bool sound);
bool write_past_the_end(bool sound);
bool read_past_the_end(bool sound);
bool misaligned_load(bool sound);
bool misaligned_dereference(bool sound);
bool missing_clamp(bool sound);
bool uninitialised_scratch(bool sound);
bool use_after_free(bool sound);
bool host_read_without_synchronisation(bool sound);
bool host_dereference(bool sound);

// planted_warps.cu
bool divergent_collective(bool sound);
bool different_masks(bool sound);
bool lane_outside_its_mask(bool sound);
bool shuffle_from_outside_the_mask(bool sound);
bool missing_warp_barrier(bool sound);
bool vote_taken_for_a_barrier(bool sound);

}  // namespace planted
