// Views of memory that somebody else owns. Nothing here allocates or frees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace prunecell {

/// Extents of a tensor, outermost first; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Number of elements: the product of the extents, 1 for a scalar.
/// Throws InvalidArgument for a negative extent or a product beyond 2^63 - 1.
std::int64_t element_count(const Shape& shape);

enum class DType : std::uint8_t { float16, bfloat16, float32, float64 };

constexpr std::size_t item_size(DType dtype) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16: return 2;
    case DType::float32: return 4;
    case DType::float64: return 8;
  }
  return 0;
}

constexpr const char* name(DType dtype) {
  switch (dtype) {
    case DType::float16: return "float16";
    case DType::bfloat16: return "bfloat16";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
  }
  return "?";
}

struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;  ///< ordinal among the devices of its kind

  friend bool operator==(const Device&, const Device&) = default;
};

/// Order of the elements in memory. The default is row-major. A channels-last tensor (N, C, spatial...)
/// has channels = C and positions = prod(spatial): each of its N images is stored position by position
/// with the channels innermost. A transposed matrix (R, C) is one image with R channels, C positions.
/// Masks and results always follow the row-major logical index, whatever the layout.
struct Layout {
  std::int64_t channels = 1;
  std::int64_t positions = 1;

  bool row_major() const { return channels == 1 || positions == 1; }
  bool operator==(const Layout&) const = default;
};

/// Dense weights, gradients or buffers: `size` elements of `dtype` at `data`, any alignment.
struct TensorView {
  void* data = nullptr;
  std::int64_t size = 0;
  DType dtype = DType::float32;
  Layout layout = {};
  Device device = {};
};

/// One bit per weight: weight i is kept iff bit i % 32 of words[i / 32] is 1, least significant first.
/// `words` holds word_count(size) words, aligned to 4 bytes; bits from `size` on are 0.
struct MaskView {
  std::uint32_t* words = nullptr;
  std::int64_t size = 0;
  Device device = {};
};

constexpr std::int64_t word_count(std::int64_t bits) { return bits / 32 + (bits % 32 != 0); }

}  // namespace prunecell
