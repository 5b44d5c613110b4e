// Memory for weights and masks: on huge pages where the system has them, all of it touched before anything is timed.
#pragma once

#include <prunecell/types.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace benchmarks {

using prunecell::DType;
using prunecell::MaskView;
using prunecell::TensorView;

class Block {
 public:
  explicit Block(std::size_t bytes);

  std::byte* data() const { return memory_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Unmap {
    std::size_t mapped;
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Unmap> memory_;
  std::size_t bytes_;
};

struct Tensor {
  DType dtype;
  std::int64_t size;
  Block memory;

  Tensor(DType type, std::int64_t count) : dtype(type), size(count), memory(std::size_t(count) * item_size(type)) {}
  TensorView view(prunecell::Layout layout = {}) const { return {memory.data(), size, dtype, layout, {}}; }
  std::int64_t bytes() const { return std::int64_t(memory.bytes()); }
};

/// A mask that keeps everything.
struct Bits {
  std::int64_t size;
  Block memory;

  explicit Bits(std::int64_t count);
  MaskView view() const { return {reinterpret_cast<std::uint32_t*>(memory.data()), size}; }
};

/// The bytes of one block into another of its size.
void copy_bytes(const Block& from, const Block& to);

}  // namespace benchmarks
