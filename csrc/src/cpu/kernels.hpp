// The inner loops over one tile of weights, compiled once per instruction set (kernels.cpp). A tile is
// contiguous and starts at a multiple of 32 weights of its tensor, so that it owns its mask words.
#pragma once

#include <cstdint>
#include <span>

namespace prunecell::cpu {

inline constexpr std::int64_t tile_size = 2048;

struct Kernels {
  const char* isa;
  bool (*supported)();

  /// keys[i] = magnitude key of weights[i]; by DType.
  void (*magnitude_keys[4])(const void* weights, std::int64_t n, std::uint32_t* keys);

  /// keys[i] = the Random filler's key of element first + i; `first` is a multiple of 4.
  void (*random_keys)(std::int64_t first, std::int64_t n, std::uint64_t seed, std::uint32_t tensor, std::uint32_t rise,
                      std::uint32_t* keys);

  /// Keys of pruned weights become `value`.
  void (*replace_pruned)(std::uint32_t* keys, std::int64_t n, const std::uint32_t* words, std::uint32_t value);

  /// Copies the keys in [first, last] to `inside` (room for n), returns their number, and adds the number of
  /// smaller ones to `below`.
  std::int64_t (*split)(const std::uint32_t* keys, std::int64_t n, std::uint32_t first, std::uint32_t last,
                        std::uint32_t* inside, std::int64_t& below);

  /// Bit i of `words` = keys[i] > limit; bits from n on are 0. Returns the number of ones.
  std::int64_t (*pack_above)(const std::uint32_t* keys, std::int64_t n, std::uint32_t limit, std::uint32_t* words);

  /// out[i] = bit i ? weights[i] : otherwise[i] (+0 where `otherwise` is null); by item size 2, 4, 8.
  /// `out` may be `weights` or `otherwise`.
  void (*select[3])(const void* weights, const void* otherwise, std::int64_t n, const std::uint32_t* words, void* out);

  /// values[j] = the j-th kept weight; by item size. Returns their number.
  std::int64_t (*pack[3])(const void* weights, std::int64_t n, const std::uint32_t* words, void* values);

  /// out[i] = bit i ? next value : +0; by item size.
  void (*unpack[3])(const void* values, std::int64_t n, const std::uint32_t* words, void* out);

  /// Makes pruned weights +0. Returns whether one was not; writes nothing if none. By item size.
  bool (*clear_pruned[3])(void* weights, std::int64_t n, const std::uint32_t* words);
};

/// All variants of this build, the portable one first, the best last.
std::span<const Kernels> kernel_variants();

/// The best variant that this processor runs.
const Kernels& kernels();

/// Makes kernels() return the named variant until the next call; nullptr: the best. For tests and
/// benchmarks; results do not depend on it. False where this processor or build lacks the variant.
bool force_kernels(const char* isa);

}  // namespace prunecell::cpu
