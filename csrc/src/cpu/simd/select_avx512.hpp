// Masks applied by lane masks. Included by kernels.cpp where the compiler targets AVX-512; the loops there mean the
// same.
#pragma once

#include "cpu/simd/lanes_avx512.hpp"

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
    const __m512i rest = other ? L::load(lanes, other + i * Bytes) : _mm512_setzero_si512();
    L::store(to + i * Bytes, lanes, L::choose(kept, L::load(lanes, from + i * Bytes), rest));
  });
}

/// Makes pruned weights of `count` lanes from `at` on +0 if some are not; returns whether. All registers are written or
/// none: where a tenth of the weights are to be cleared, a branch for each register is mispredicted.
template <int Bytes>
[[gnu::always_inline]] inline bool clear_run(unsigned char* at, int count, std::uint64_t kept) {
  using L = Lanes<Bytes>;
  constexpr int registers = 64 / L::count;
  __m512i cleared[registers], revived = _mm512_setzero_si512();
  const auto lanes = [&](int r) { return typename L::Mask(first_bits(count) >> (r * L::count)); };
  for (int r = 0; r < registers; ++r) {
    const __m512i items = L::load(lanes(r), at + r * 64);
    cleared[r] = L::choose(typename L::Mask(kept >> (r * L::count)), items, _mm512_setzero_si512());
    revived = _mm512_or_si512(revived, _mm512_xor_si512(items, cleared[r]));
  }
  if (_mm512_test_epi64_mask(revived, revived) == 0) return false;
  for (int r = 0; r < registers; ++r) L::store(at + r * 64, lanes(r), cleared[r]);
  return true;
}

template <int Bytes>
bool clear_pruned_registers(void* weights, std::int64_t n, const std::uint32_t* words) {
  auto* items = static_cast<unsigned char*>(weights);
  bool changed = false;
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    std::uint64_t kept;
    __builtin_memcpy(&kept, words + i / 32, sizeof kept);
    changed |= clear_run<Bytes>(items + i * Bytes, 64, kept);
  }
  if (const int rest = int(n - i); rest > 0) {
    std::uint64_t kept = 0;
    __builtin_memcpy(&kept, words + i / 32, rest > 32 ? 8 : 4);
    changed |= clear_run<Bytes>(items + i * Bytes, rest, kept);
  }
  return changed;
}

}  // namespace
}  // namespace prunecell::cpu
