// A mask that owns its bits.
#pragma once

#include <prunecell/types.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace prunecell {

class Mask {
 public:
  Mask() = default;

  /// All weights kept. Throws InvalidArgument for a shape element_count() rejects.
  explicit Mask(Shape shape);

  /// Reads the saved form: rows of `ceil(columns / 8)` bytes, little bit order, where rows is the first
  /// extent (1 for a scalar) and columns the product of the others. Padding bits are ignored.
  /// Throws InvalidArgument when `rows` has another size than saved_size(shape).
  static Mask from_saved(Shape shape, std::span<const std::byte> rows);

  Mask(const Mask& other);
  Mask& operator=(const Mask& other);
  Mask(Mask&&) noexcept = default;
  Mask& operator=(Mask&&) noexcept = default;
  ~Mask() = default;

  /// Copies the bits of a mask of equal shape into this mask's own storage.
  void assign_bits(const Mask& other);

  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return size_; }
  MaskView view() const { return {words_.get(), size_}; }

  /// Number of pruned weights.
  std::int64_t zeros() const;
  bool kept(std::int64_t index) const { return words_[index / 32] >> (index % 32) & 1u; }

  /// The saved form, see from_saved(); padding bits are 0.
  std::vector<std::byte> saved() const;
  static std::size_t saved_size(const Shape& shape);

 private:
  Shape shape_ = {0};
  std::int64_t size_ = 0;
  std::unique_ptr<std::uint32_t[]> words_;
};

}  // namespace prunecell
