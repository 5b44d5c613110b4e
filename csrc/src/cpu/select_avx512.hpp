// Masks applied by lane masks. Included by kernels.cpp where the compiler targets AVX-512; the loops there mean the
// same.
#pragma once

#include "lanes_avx512.hpp"
#include "prefetch.hpp"

namespace prunecell::cpu {
namespace {

template <int Bytes>
void select_registers(const void* weights, const void* otherwise, std::int64_t n, const std::uint32_t* words,
                      void* out) {
  using L = Lanes<Bytes>;
  const auto* from = static_cast<const unsigned char*>(weights);
  const auto* other = static_cast<const unsigned char*>(otherwise);
  auto* to = static_cast<unsigned char*>(out);
  for_each_register<Bytes>(n, words, [&](std::int64_t i, typename L::Mask lanes, typename L::Mask kept) {
    prefetch(from + i * Bytes, 64);
    const __m512i rest = other ? L::load(lanes, other + i * Bytes) : _mm512_setzero_si512();
    L::store(to + i * Bytes, lanes, L::choose(kept, L::load(lanes, from + i * Bytes), rest));
  });
}

/// Makes pruned weights of one register +0 if some are not; returns whether.
template <int Bytes>
inline bool clear_register(unsigned char* at, typename Lanes<Bytes>::Mask lanes, typename Lanes<Bytes>::Mask kept) {
  using L = Lanes<Bytes>;
  const __m512i items = L::load(lanes, at);
  const auto revived = typename L::Mask(L::not_zero(items) & ~kept);
  if (revived == 0) return false;
  L::store(at, lanes, L::choose(kept, items, _mm512_setzero_si512()));
  return true;
}

template <int Bytes>
bool clear_pruned_registers(void* weights, std::int64_t n, const std::uint32_t* words) {
  auto* items = static_cast<unsigned char*>(weights);
  bool changed = false;
  for_each_register<Bytes>(n, words,
                           [&](std::int64_t i, typename Lanes<Bytes>::Mask lanes, typename Lanes<Bytes>::Mask kept) {
                             prefetch(items + i * Bytes, 64);
                             changed |= clear_register<Bytes>(items + i * Bytes, lanes, kept);
                           });
  return changed;
}

}  // namespace
}  // namespace prunecell::cpu
