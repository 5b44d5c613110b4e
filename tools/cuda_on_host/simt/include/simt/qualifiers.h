// The words that CUDA adds to C++.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))

// One block runs at a time, so that a static variable can be its shared memory. `noinit` gathers them in sections of
// their own, which are poisoned before each block; other than `section`, it also reaches the variables of templates.
#define __shared__ static __attribute__((noinit))
