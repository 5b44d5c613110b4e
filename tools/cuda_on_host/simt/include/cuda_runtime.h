// Stands where the CUDA toolkit's header of this name would: a C++ compiler that finds this one first makes host
// programs of CUDA sources, and the SIMT shim executes their kernels. docs/cuda-testing.md.
#pragma once

#include <simt/access.h>
#include <simt/atomics.h>
#include <simt/bits.h>
#include <simt/launch.h>
#include <simt/qualifiers.h>
#include <simt/runtime_api.h>
#include <simt/thread.h>
#include <simt/vector_types.h>
#include <simt/warp.h>
