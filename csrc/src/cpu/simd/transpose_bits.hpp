// Transposing matrices of bits. Included by kernels.cpp.
#pragma once

#include "cpu/simd/classes.hpp"
#include "cpu/simd/kernels.hpp"

#include <cstdint>
#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace prunecell::cpu {
namespace {

/// The lowest bits of `bits`, one after the other, at the places of a part; and the reverse. The instructions only
/// where AVX-512 says that the processor is none of those that take dozens of cycles for them.
#if defined(__AVX512BW__)
inline std::uint64_t deposit(std::uint64_t bits, const Interleaving& part) { return _pdep_u64(bits, part.places); }
inline std::uint64_t extract(std::uint64_t word, const Interleaving& part) { return _pext_u64(word, part.places); }
#else
inline std::uint64_t deposit(std::uint64_t bits, const Interleaving& part) {
  if (part.factor != 0) return (bits & part.lowest) * part.factor & part.places;
  std::uint64_t out = 0;
  for (std::uint64_t places = part.places; places != 0; places &= places - 1, bits >>= 1)
    out |= (0 - (bits & 1)) & places & (0 - places);
  return out;
}
inline std::uint64_t extract(std::uint64_t word, const Interleaving& part) {
  if (part.factor != 0) return (word & part.places) * part.inverse >> part.shift & part.lowest;
  std::uint64_t out = 0;
  int at = 0;
  for (std::uint64_t places = part.places; places != 0; places &= places - 1, ++at)
    out |= (word >> __builtin_ctzll(places) & 1) << at;
  return out;
}
#endif

inline std::uint64_t lesser(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }

/// The 64 bits from `bit` on; what lies behind the last word reads as 0.
inline std::uint64_t bits_at(const BitMatrix& matrix, std::uint64_t bit) {
  const std::uint64_t word = bit / 32, shift = bit % 32;
  std::uint64_t low = 0, high = 0;
  if (word + 3 <= matrix.word_count) {
    __builtin_memcpy(&low, matrix.words + word, 8);
    high = matrix.words[word + 2];
  } else {
    __builtin_memcpy(&low, matrix.words + word, lesser(matrix.word_count - word, 2) * 4);
  }
  return low >> shift | high << 1 << (63 - shift);
}

inline void add_bits(std::uint64_t* to, std::uint64_t bit, std::uint64_t bits) {
  const std::uint64_t shift = bit % 64;
  to[bit / 64] |= bits << shift;
  to[bit / 64 + 1] |= bits >> 1 >> (63 - shift);
}

/// Interleaves a few long rows, 64 columns at a time.
void interleave(const BitMatrix from, std::uint64_t first, std::uint64_t last, std::uint64_t* to, std::uint64_t at) {
  for (std::uint64_t column = first; column < last; column += 64) {
    const std::uint64_t columns = lesser(64, last - column), begin = from.first_bit + column;
    std::uint64_t rows[most_interleaved];
    for (std::uint64_t row = 0; row < from.rows; ++row)
      rows[row] = bits_at(from, begin + row * from.columns) & first_bits(columns);
    const Interleaving* part = from.interleaving;
    for (std::uint64_t bit = 0; bit < columns * from.rows; bit += 64) {
      std::uint64_t word = 0;
      for (std::uint64_t row = 0; row < from.rows; ++row, ++part) word |= deposit(rows[row] >> part->before, *part);
      add_bits(to, at + (column - first) * from.rows + bit, word);
    }
  }
}

/// Separates many rows of a few columns, 64 rows at a time.
void separate(const BitMatrix from, std::uint64_t* to, std::uint64_t at) {
  for (std::uint64_t row = 0; row < from.rows; row += 64) {
    const std::uint64_t rows = lesser(64, from.rows - row), begin = from.first_bit + row * from.columns;
    std::uint64_t columns[most_interleaved] = {};
    const Interleaving* part = from.interleaving;
    for (std::uint64_t bit = 0; bit < rows * from.columns; bit += 64) {
      const std::uint64_t word = bits_at(from, begin + bit);
      for (std::uint64_t column = 0; column < from.columns; ++column, ++part)
        columns[column] |= extract(word, *part) << part->before;
    }
    for (std::uint64_t column = 0; column < from.columns; ++column)
      add_bits(to, at + column * from.rows + row, columns[column] & first_bits(rows));
  }
}

/// Transposes 64 x 64 bits by halves, quarters and so on: Warren: Hacker's delight, section 7-3.
inline void transpose_block(std::uint64_t* words) {
  std::uint64_t low = first_bits(32);  // the lower half of each 2 * half bits
  for (int half = 32; half > 0; half /= 2, low ^= low << half)
    for (int first = 0; first < 64; first += 2 * half)
      for (int i = first; i < first + half; ++i) {
        const std::uint64_t changed = (words[i] >> half ^ words[i + half]) & low;
        words[i] ^= changed << half;
        words[i + half] ^= changed;
      }
}

void transpose_by_blocks(const BitMatrix from, std::uint64_t first, std::uint64_t last, std::uint64_t* to,
                         std::uint64_t at) {
  for (std::uint64_t row = 0; row < from.rows; row += 64)
    for (std::uint64_t column = first; column < last; column += 64) {
      const std::uint64_t rows = lesser(64, from.rows - row), columns = lesser(64, last - column);
      std::uint64_t words[64] = {};
      for (std::uint64_t r = 0; r < rows; ++r)
        words[r] = bits_at(from, from.first_bit + (row + r) * from.columns + column);
      transpose_block(words);
      for (std::uint64_t c = 0; c < columns; ++c) add_bits(to, at + (column - first + c) * from.rows + row, words[c]);
    }
}

void transpose_bits(const BitMatrix& from, std::uint64_t first, std::uint64_t last, std::uint64_t* to,
                    std::uint64_t at) {
  if (!from.interleaving)
    transpose_by_blocks(from, first, last, to, at);
  else if (from.rows <= from.columns)
    interleave(from, first, last, to, at);
  else
    separate(from, to, at);
}

}  // namespace
}  // namespace prunecell::cpu
