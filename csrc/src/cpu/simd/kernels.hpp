// The inner loops over one tile of weights, compiled once per instruction set (kernels.cpp). A tile is
// contiguous and starts at a multiple of 32 weights of its tensor, so that it owns its mask words.
#pragma once

#include <cstdint>
#include <span>

namespace prunecell::cpu {

inline constexpr std::int64_t tile_size = 4096;

/// Items of a tile: weights by their DType, or keys.
inline constexpr int key_items = 4;

/// A bracket of items, both ends inclusive, and the last item of its lower part.
struct Bounds {
  std::uint64_t first, middle, last;
};

/// Which weights are collected beside being counted: none, the candidates, which are those from first to last, or the
/// candidates above middle.
enum class Collect : std::uint8_t { nothing, candidates, upper_level };
inline constexpr int collect_count = 3;

/// Weights of a tile by class: rejected ones lie below first, kept ones above last.
struct ClassCounts {
  std::int64_t not_rejected = 0;     ///< weights >= first
  std::int64_t kept_with_upper = 0;  ///< weights > middle, where the upper level is collected
  std::int64_t kept = 0;             ///< weights > last
};

/// Weights of a tile that are collected: the runs of 64 weights that have some, and a bit for each.
struct CollectedTile {
  std::int64_t count = 0;
  std::uint16_t run[tile_size / 64 + 1];
  std::uint64_t bits[tile_size / 64 + 1];
};

inline constexpr std::int64_t collect_slack = 16;

/// The part that one row of bits has in one word, where up to most_interleaved rows are interleaved 64 columns at a
/// time: the places of its bits, and how many bits of the row lie before the word.
struct Interleaving {
  std::uint64_t places, before;
  std::uint64_t lowest;  ///< as many ones as places
  /// (bits & lowest) * factor & places deposits bits, (word & places) * inverse >> shift & lowest extracts them. 0: no
  /// factor does.
  std::uint64_t factor, inverse;
  int shift;
};
inline constexpr std::int64_t most_interleaved = 16;

/// Bits row by row, without gaps.
struct BitMatrix {
  const std::uint32_t* words;
  std::uint64_t word_count;  ///< none behind them is read
  std::uint64_t first_bit, rows, columns;
  const Interleaving* interleaving;  ///< of the lesser extent, row after row for word after word; null: it is too large
};

struct Kernels {
  const char* isa;
  bool (*supported)();

  /// keys[i] = magnitude key of weights[i]; by DType.
  void (*magnitude_keys[4])(const void* weights, std::int64_t n, std::uint32_t* keys);

  /// keys[i] = the Random filler's key of element first + i; `first` is a multiple of 4.
  void (*random_keys)(std::int64_t first, std::int64_t n, std::uint64_t seed, std::uint32_t tensor, std::uint32_t rise,
                      std::uint32_t* keys);

  /// Compares the magnitudes of n items with a bracket, in the items' own type: bit i of `kept` = magnitude > last,
  /// also 0 where bit i of `old` is (null: all ones) and from n on. `collected` gets what is to be collected. Fetches
  /// the beginning of `next`, where it is not null. By Collect, and by DType; keys are their own magnitudes.
  ClassCounts (*classify[collect_count][5])(const void* items, const void* next, std::int64_t n, const Bounds& bounds,
                                            const std::uint32_t* old, std::uint32_t* kept, CollectedTile& collected);

  /// The keys of the weights collected, and base + index. Returns their number; both arrays have room for
  /// collect_slack more. By DType, and keys.
  std::int64_t (*collect[5])(const void* items, const CollectedTile& collected, std::int64_t base, std::uint32_t* keys,
                             std::int64_t* positions);

  /// Number of keys > limit.
  std::int64_t (*count_above)(const std::uint32_t* keys, std::int64_t n, std::uint32_t limit);

  /// Ones of `count` mask words.
  std::int64_t (*count_ones)(const std::uint32_t* words, std::int64_t count);

  /// Keys of pruned weights become `value`.
  void (*replace_pruned)(std::uint32_t* keys, std::int64_t n, const std::uint32_t* words, std::uint32_t value);

  /// Copies the keys in [first, last] to `inside` (room for n), returns their number, and adds the number of
  /// smaller ones to `below`.
  std::int64_t (*split)(const std::uint32_t* keys, std::int64_t n, std::uint32_t first, std::uint32_t last,
                        std::uint32_t* inside, std::int64_t& below);

  /// out[i] = bit i ? weights[i] : otherwise[i] (+0 where `otherwise` is null); by item size 2, 4, 8.
  /// `out` may be `weights` or `otherwise`.
  void (*select[3])(const void* weights, const void* otherwise, std::int64_t n, const std::uint32_t* words, void* out);

  /// values[j] = the j-th kept weight; by item size. Returns their number.
  std::int64_t (*pack[3])(const void* weights, std::int64_t n, const std::uint32_t* words, void* values);

  /// out[i] = bit i ? next value : +0; by item size.
  void (*unpack[3])(const void* values, std::int64_t n, const std::uint32_t* words, void* out);

  /// The columns from `first` to `last` become rows, from bit `at` of `to` on, where all is 0 before and there is room
  /// for one word more than they take. All columns where they are fewer than the rows and there is an interleaving.
  void (*transpose_bits)(const BitMatrix& from, std::uint64_t first, std::uint64_t last, std::uint64_t* to,
                         std::uint64_t at);

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
