#include <prunecell/mask.hpp>

#include "api/bits.hpp"
#include "api/check.hpp"
#include "cuda/loader/cuda_plugin.hpp"

#include <algorithm>
#include <utility>

namespace prunecell {
namespace {

/// body(first bit in the mask, number of bits, byte in the saved form) for each byte of the saved form.
template <class Body>
void for_each_row_byte(const Mask::SavedRows& rows, Body&& body) {
  for (std::int64_t row = 0; row < rows.count; ++row)
    for (std::int64_t byte = 0; byte < rows.bytes; ++byte) {
      const std::int64_t first = row * rows.columns + byte * 8;
      const int bits = int(std::min<std::int64_t>(8, rows.columns - byte * 8));
      body(first, bits, std::size_t(row * rows.bytes + byte));
    }
}

}  // namespace

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    check_not_negative("shape", extent);
    if (extent > 0 && count > INT64_MAX / extent) refuse("shape", "at most 2^63 - 1 elements", "more");
    count *= extent;
  }
  return count;
}

Mask::Words Mask::make_words(std::int64_t size, Device device) {
  const auto count = std::size_t(word_count(size));
  if (device.kind == Device::Kind::cpu) return Words(new std::uint32_t[count]);
  void* memory = nullptr;
  cuda::raise(cuda::plugin().allocate(device.index, std::max<std::size_t>(count, 1) * sizeof(std::uint32_t), memory));
  const auto release = [device](std::uint32_t* words) { cuda::plugin().release(device.index, words); };
  return Words(static_cast<std::uint32_t*>(memory), release);
}

Mask::Mask(Shape shape, Device device)
    : shape_(std::move(shape)), size_(element_count(shape_)), device_(device), words_(make_words(size_, device)) {
  if (on_cpu())
    fill_ones(words_.get(), size_);
  else
    assign_bits(Mask(shape_));
}

Mask Mask::from_saved(Shape shape, std::span<const std::byte> saved) {
  const std::size_t expected = saved_size(shape);
  if (saved.size() != expected) refuse("saved mask", to_text(expected) + " bytes", to_text(saved.size()));
  Mask mask(std::move(shape));
  std::fill_n(mask.words_.get(), word_count(mask.size_), 0u);
  for_each_row_byte(saved_rows(mask.shape_), [&](std::int64_t first, int bits, std::size_t byte) {
    const std::uint64_t value = std::uint64_t(saved[byte]) & ((1u << bits) - 1);
    mask.words_[first / 32] |= std::uint32_t(value << (first % 32));
    if (first % 32 + bits > 32) mask.words_[first / 32 + 1] |= std::uint32_t(value >> (32 - first % 32));
  });
  return mask;
}

std::vector<std::byte> Mask::saved() const {
  if (!on_cpu()) return to({}).saved();
  std::vector<std::byte> out(saved_size(shape_));
  for_each_row_byte(saved_rows(shape_), [&](std::int64_t first, int bits, std::size_t byte) {
    std::uint64_t value = words_[first / 32];
    if (first % 32 + bits > 32) value |= std::uint64_t(words_[first / 32 + 1]) << 32;
    out[byte] = std::byte(value >> (first % 32) & ((1u << bits) - 1));
  });
  return out;
}

Mask::SavedRows Mask::saved_rows(const Shape& shape) {
  element_count(shape);
  const std::int64_t count = shape.empty() ? 1 : shape.front();
  const std::int64_t columns = shape.empty() ? 1 : element_count({shape.begin() + 1, shape.end()});
  return {count, columns, columns / 8 + (columns % 8 != 0)};
}

std::size_t Mask::saved_size(const Shape& shape) {
  const SavedRows rows = saved_rows(shape);
  return std::size_t(rows.count * rows.bytes);
}

Mask::Mask(const Mask& other) : shape_(other.shape_), size_(other.size_), device_(other.device_) {
  if (!other.words_) return;
  words_ = make_words(size_, device_);
  assign_bits(other);
}

Mask& Mask::operator=(const Mask& other) { return *this = Mask(other); }

void Mask::assign_bits(const Mask& other) {
  if (size_ != other.size_) refuse("mask", to_text(size_) + " weights", to_text(other.size_));
  const std::int64_t count = word_count(size_);
  if (on_cpu() && other.on_cpu()) {
    std::copy_n(other.words_.get(), count, words_.get());
    return;
  }
  const Device device = on_cpu() ? other.device_ : device_;
  cuda::raise(
      cuda::plugin().copy(device.index, words_.get(), other.words_.get(), std::size_t(count) * sizeof(std::uint32_t)));
}

Mask Mask::to(Device device) const {
  Mask out;
  out.shape_ = shape_;
  out.size_ = size_;
  out.device_ = device;
  out.words_ = make_words(size_, device);
  out.assign_bits(*this);
  return out;
}

void Mask::move(Device device) {
  if (device_ != device) *this = to(device);
}

std::int64_t Mask::zeros() const {
  if (!on_cpu()) return to({}).zeros();
  return size_ - count_ones(words_.get(), word_count(size_));
}

std::uint32_t Mask::fetch_word(std::int64_t number) const {
  std::uint32_t word = 0;
  cuda::raise(cuda::plugin().copy(device().index, &word, words_.get() + number, sizeof word));
  return word;
}

}  // namespace prunecell
