// A mask that owns its bits, on the CPU or on a CUDA device. Reading the bits of a mask on a CUDA device (zeros, kept,
// saved, to, copies) waits for all that the device has been asked for.
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

  /// All weights kept. Throws InvalidArgument for a shape element_count() rejects, DeviceUnavailable.
  explicit Mask(Shape shape, Device device = {});

  /// Reads the saved form: rows of `ceil(columns / 8)` bytes, little bit order, where rows is the first
  /// extent (1 for a scalar) and columns the product of the others. Padding bits are ignored.
  /// Throws InvalidArgument when `rows` has another size than saved_size(shape).
  static Mask from_saved(Shape shape, std::span<const std::byte> rows);

  Mask(const Mask& other);
  Mask& operator=(const Mask& other);
  Mask(Mask&&) noexcept = default;
  Mask& operator=(Mask&&) noexcept = default;
  ~Mask() = default;

  /// Copies the bits of a mask of equal shape, on whatever device, into this mask's own storage.
  void assign_bits(const Mask& other);

  /// A copy on a device.
  Mask to(Device device) const;
  /// Takes the bits to a device; does nothing where they lie there.
  void move(Device device);

  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return size_; }
  Device device() const { return device_; }
  MaskView view() const { return {words_.get(), size_, device_}; }
  /// The words of view(), which stay in memory with this pointer when the mask itself is gone or elsewhere.
  std::shared_ptr<const std::uint32_t[]> words() const { return words_; }

  /// Number of pruned weights.
  std::int64_t zeros() const;
  bool kept(std::int64_t index) const { return word(index / 32) >> (index % 32) & 1u; }

  /// The saved form, see from_saved(); padding bits are 0.
  std::vector<std::byte> saved() const;
  static std::size_t saved_size(const Shape& shape);
  /// The 2-D view of the saved form: the first extent (1 for a scalar) by the product of the others.
  struct SavedRows {
    std::int64_t count, columns, bytes;  ///< bytes: of one row
  };
  static SavedRows saved_rows(const Shape& shape);

 private:
  using Words = std::shared_ptr<std::uint32_t[]>;
  static Words make_words(std::int64_t size, Device device);

  bool on_cpu() const { return device_.kind == Device::Kind::cpu; }
  std::uint32_t word(std::int64_t number) const { return on_cpu() ? words_[number] : fetch_word(number); }
  std::uint32_t fetch_word(std::int64_t number) const;

  Shape shape_ = {0};
  std::int64_t size_ = 0;
  Device device_;
  Words words_;
};

}  // namespace prunecell
