// Marks the formulas that kernels call as well as the host.
#pragma once

#ifdef __CUDACC__
#define PRUNECELL_HOST_DEVICE __host__ __device__
#else
#define PRUNECELL_HOST_DEVICE
#endif
