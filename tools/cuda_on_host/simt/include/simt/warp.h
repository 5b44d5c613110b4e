// Warp collectives. Each names its lanes, and completes when all of them have arrived at it, and not otherwise.
#pragma once

#include <simt/thread.h>

#include <bit>
#include <cstdint>

namespace simt {

/// A lane's part in a collective. `argument` is a lane, a distance or a lane mask, within `width` lanes.
struct Contribution {
  std::uint64_t value = 0;
  int argument = 0;
  int width = 32;
};

/// Waits for the lanes in `mask` and returns this lane's result.
std::uint64_t warp_collective(Operation operation, unsigned mask, Contribution mine, Where where);

template <class T>
concept Shuffled = sizeof(T) == 4 || sizeof(T) == 8;

/// The register of a value, which a shuffle moves and a match compares.
template <Shuffled T>
std::uint64_t to_register(T value) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<std::uint32_t>(value);
  else
    return std::bit_cast<std::uint64_t>(value);
}

template <Shuffled T>
T shuffle(Operation operation, unsigned mask, T value, int argument, int width, Where where) {
  const std::uint64_t taken = warp_collective(operation, mask, {to_register(value), argument, width}, where);
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(std::uint32_t(taken));
  else
    return std::bit_cast<T>(taken);
}

}  // namespace simt

inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Where where = simt::Where::current()) {
  simt::warp_collective(simt::Operation::syncwarp, mask, {}, where);
}

#define SIMT_VOTE(name, operation, Result)                                                           \
  inline Result name(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {     \
    return Result(simt::warp_collective(simt::Operation::operation, mask, {predicate != 0}, where)); \
  }
SIMT_VOTE(__ballot_sync, ballot, unsigned)
SIMT_VOTE(__all_sync, all, int)
SIMT_VOTE(__any_sync, any, int)
#undef SIMT_VOTE

#define SIMT_SHUFFLE(name, operation, Argument)                                                 \
  template <simt::Shuffled T>                                                                   \
  T name(unsigned mask, T value, Argument argument, int width = warpSize,                       \
         simt::Where where = simt::Where::current()) {                                          \
    return simt::shuffle(simt::Operation::operation, mask, value, int(argument), width, where); \
  }
SIMT_SHUFFLE(__shfl_sync, shfl, int)
SIMT_SHUFFLE(__shfl_up_sync, shfl_up, unsigned)
SIMT_SHUFFLE(__shfl_down_sync, shfl_down, unsigned)
SIMT_SHUFFLE(__shfl_xor_sync, shfl_xor, int)
#undef SIMT_SHUFFLE

template <simt::Shuffled T>
unsigned __match_any_sync(unsigned mask, T value, simt::Where where = simt::Where::current()) {
  return unsigned(simt::warp_collective(simt::Operation::match_any, mask, {simt::to_register(value)}, where));
}

#define SIMT_REDUCE(name, operation, T)                                                                   \
  inline T name(unsigned mask, T value, simt::Where where = simt::Where::current()) {                     \
    return T(simt::warp_collective(simt::Operation::operation, mask, {simt::to_register(value)}, where)); \
  }
SIMT_REDUCE(__reduce_add_sync, reduce_add, unsigned)
SIMT_REDUCE(__reduce_add_sync, reduce_add, int)
SIMT_REDUCE(__reduce_min_sync, reduce_min_unsigned, unsigned)
SIMT_REDUCE(__reduce_min_sync, reduce_min_int, int)
SIMT_REDUCE(__reduce_max_sync, reduce_max_unsigned, unsigned)
SIMT_REDUCE(__reduce_max_sync, reduce_max_int, int)
SIMT_REDUCE(__reduce_and_sync, reduce_and, unsigned)
SIMT_REDUCE(__reduce_or_sync, reduce_or, unsigned)
SIMT_REDUCE(__reduce_xor_sync, reduce_xor, unsigned)
#undef SIMT_REDUCE

/// The hardware decides which lanes run together; a kernel that asks has a race.
unsigned __activemask() = delete;
