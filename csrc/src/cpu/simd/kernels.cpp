// Compiled once per instruction set, each time with other flags and another PRUNECELL_ISA. Everything but the
// table has internal linkage and no library template is instantiated here: an inline function shared
// with another object could be linked in its AVX-512 form and run where there is none.
#include "cpu/simd/kernels.hpp"
#include "cpu/simd/processor.hpp"
#include "semantics/semantics.hpp"
#if defined(__AVX512BW__)
#include "cpu/simd/lanes_avx512.hpp"
#elif defined(__AVX2__)
#include "cpu/simd/lanes_avx2.hpp"
#else
#include "cpu/simd/lanes_portable.hpp"
#endif
#include "cpu/simd/classify.hpp"
#include "cpu/simd/select.hpp"
#include "cpu/simd/transpose_bits.hpp"

#include <cstddef>

namespace prunecell::cpu {
namespace {

using semantics::BFloat16;
using semantics::Float16;

template <class Weight>
void magnitude_keys(const void* weights, std::int64_t n, std::uint32_t* keys) {
  const auto* bytes = static_cast<const unsigned char*>(weights);
  for (std::int64_t i = 0; i < n; ++i) {
    Weight w;
    __builtin_memcpy(&w, bytes + i * std::int64_t(sizeof w), sizeof w);  // any alignment
    keys[i] = semantics::key(w);
  }
}

void random_keys(std::int64_t first, std::int64_t n, std::uint64_t seed, std::uint32_t tensor, std::uint32_t rise,
                 std::uint32_t* keys) {
  constexpr int run = 4 * Words::count;
  const auto generate = [&](std::int64_t i, std::uint32_t* to) {
    const auto block = std::uint64_t(first + i) / 4;
    store(to, semantics::philox(Words::low_of(block), Words::high_of(block), tensor, rise, seed));
  };
  std::int64_t i = 0;
  for (; i + run <= n; i += run) generate(i, keys + i);
  if (i == n) return;
  std::uint32_t rest[run];
  generate(i, rest);
  __builtin_memcpy(keys + i, rest, std::size_t(n - i) * sizeof *keys);
}

void replace_pruned(std::uint32_t* keys, std::int64_t n, const std::uint32_t* words, std::uint32_t value) {
  const auto replace = [=](std::int64_t base, int count, std::uint32_t word) {
    for (int j = 0; j < count; ++j) keys[base + j] = word >> j & 1u ? keys[base + j] : value;
  };
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) replace(i, 32, words[i / 32]);
  if (i < n) replace(i, int(n - i), words[i / 32]);
}

std::int64_t split(const std::uint32_t* keys, std::int64_t n, std::uint32_t first, std::uint32_t last,
                   std::uint32_t* inside, std::int64_t& below) {
  const std::uint32_t width = last - first;
  std::uint32_t smaller = 0;
  for (std::int64_t i = 0; i < n; ++i) smaller += keys[i] < first;
  below += smaller;

  std::uint32_t hits[tile_size / 32];  // all of them first: the loop that finds them stays free of branches
  for_each_word(
      n, [&](std::int64_t i, int count) __attribute__((always_inline)) {
        hits[i / 32] = pack_bits(keys + i, count, [=](std::uint32_t key) { return key - first <= width; });
      });
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < n; i += 32) {
    std::uint32_t word = hits[i / 32];
    for (; word != 0; word &= word - 1) inside[found++] = keys[i + __builtin_ctz(word)];
  }
  return found;
}

std::int64_t count_ones(const std::uint32_t* words, std::int64_t count) {
  std::int64_t ones = 0, w = 0;
  for (; w + 2 <= count; w += 2) {
    std::uint64_t two;
    __builtin_memcpy(&two, words + w, sizeof two);
    ones += __builtin_popcountll(two);
  }
  return w < count ? ones + __builtin_popcount(words[w]) : ones;
}

std::int64_t count_above(const std::uint32_t* keys, std::int64_t n, std::uint32_t limit) {
  std::int64_t count = 0;
  for (std::int64_t block = 0; block < n; block += tile_size) {
    const std::int64_t end = n - block < tile_size ? n : block + tile_size;
    std::uint32_t above = 0;
    for (std::int64_t i = block; i < end; ++i) above += keys[i] > limit;
    count += above;
  }
  return count;
}

}  // namespace

#define PRUNECELL_JOIN(a, b) a##b
#define PRUNECELL_TABLE(isa) PRUNECELL_JOIN(kernels_, isa)
#define PRUNECELL_SUPPORTED(isa) PRUNECELL_JOIN(supports_, isa)
#define PRUNECELL_TEXT(isa) #isa
#define PRUNECELL_NAME(isa) PRUNECELL_TEXT(isa)

#define PRUNECELL_BY_ITEM(collected)                                                                   \
  {                                                                                                    \
    classify<std::uint16_t, 0x7fff, collected>, classify<std::uint16_t, 0x7fff, collected>,            \
        classify<std::uint32_t, 0x7fffffff, collected>, classify<std::uint64_t, INT64_MAX, collected>, \
        classify<std::uint32_t, UINT32_MAX, collected>                                                 \
  }

extern const Kernels PRUNECELL_TABLE(PRUNECELL_ISA);
const Kernels PRUNECELL_TABLE(PRUNECELL_ISA) = {
    .isa = PRUNECELL_NAME(PRUNECELL_ISA),
    .supported = PRUNECELL_SUPPORTED(PRUNECELL_ISA),
    .magnitude_keys = {magnitude_keys<Float16>, magnitude_keys<BFloat16>, magnitude_keys<float>,
                       magnitude_keys<double>},
    .random_keys = random_keys,
    .classify = {PRUNECELL_BY_ITEM(Collect::nothing), PRUNECELL_BY_ITEM(Collect::candidates),
                 PRUNECELL_BY_ITEM(Collect::upper_level)},
    .collect = {collect<Float16>, collect<BFloat16>, collect<float>, collect<double>, collect<std::uint32_t>},
    .count_above = count_above,
    .count_ones = count_ones,
    .replace_pruned = replace_pruned,
    .split = split,
    .select = {select<std::uint16_t>, select<std::uint32_t>, select<std::uint64_t>},
    .pack = {pack<std::uint16_t>, pack<std::uint32_t>, pack<std::uint64_t>},
    .unpack = {unpack<std::uint16_t>, unpack<std::uint32_t>, unpack<std::uint64_t>},
    .transpose_bits = transpose_bits,
    .clear_pruned = {clear_pruned<std::uint16_t>, clear_pruned<std::uint32_t>, clear_pruned<std::uint64_t>},
};

}  // namespace prunecell::cpu
