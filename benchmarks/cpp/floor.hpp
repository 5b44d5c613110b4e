// What the machine can do at best with the same bytes, and what the reference does with them. A C interface, so that
// the comparison with other packages, a Python program, times the very same code.
#pragma once

#include <cstdint>

extern "C" {

/// Reads every byte once, nothing else. The value depends on all of them.
std::uint64_t floor_read(const void* data, std::int64_t bytes, int threads);

/// Reads and writes every byte once, in place: the traffic of a scale, for any type. Every 8 bytes become their value
/// xor `flip`.
void floor_rewrite(void* data, std::int64_t bytes, std::uint64_t flip, int threads);

/// IterNonStruct as the reference documents it: one mask word per weight, and one pass over all weights for each
/// step of delta, which prunes those up to it, until their share reaches `threshold`. Returns the number of steps.
std::int64_t reference_iter_nonstruct(const float* weights, std::int64_t size, float threshold, float delta,
                                      std::uint32_t* mask, int threads);

/// The same passes in the form that a compiler turns into the widest vectors: the best that can be made of them.
std::int64_t reference_vectorized(const float* weights, std::int64_t size, float threshold, float delta,
                                  std::uint32_t* mask, int threads);
}
