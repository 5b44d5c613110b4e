// A CUDA thread's own indices, and how it meets the others of its block.
#pragma once

#include <simt/vector_types.h>

#include <source_location>

// Written by the scheduler each time it changes threads.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;

namespace simt {

using Where = std::source_location;

/// Collectives of the threads of a block or the lanes of a warp. The result is one for all, or one each.
enum class Operation {
  syncthreads,
  syncthreads_count,
  syncthreads_and,
  syncthreads_or,
  syncwarp,
  ballot,
  all,
  any,
  shfl,
  shfl_up,
  shfl_down,
  shfl_xor,
  match_any,
  reduce_add,
  reduce_min_unsigned,
  reduce_max_unsigned,
  reduce_min_int,
  reduce_max_int,
  reduce_and,
  reduce_or,
  reduce_xor,
};

/// Waits for all threads of the block.
int block_barrier(Operation operation, int predicate, Where where);

/// Aborts with a message that names kernel, block and thread.
[[noreturn]] void fault(const char* kind, const char* detail, Where where);

/// Orders memory as seen by the thread sanitizer.
void fence();

}  // namespace simt

inline void __syncthreads(simt::Where where = simt::Where::current()) {
  simt::block_barrier(simt::Operation::syncthreads, 0, where);
}
inline int __syncthreads_count(int predicate, simt::Where where = simt::Where::current()) {
  return simt::block_barrier(simt::Operation::syncthreads_count, predicate, where);
}
inline int __syncthreads_and(int predicate, simt::Where where = simt::Where::current()) {
  return simt::block_barrier(simt::Operation::syncthreads_and, predicate, where);
}
inline int __syncthreads_or(int predicate, simt::Where where = simt::Where::current()) {
  return simt::block_barrier(simt::Operation::syncthreads_or, predicate, where);
}

inline void __threadfence() { simt::fence(); }
inline void __threadfence_block() { simt::fence(); }
inline void __threadfence_system() { simt::fence(); }

[[noreturn]] inline void __trap(simt::Where where = simt::Where::current()) {
  simt::fault("trap", "the kernel called __trap", where);
}
