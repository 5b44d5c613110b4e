// Scratch memory of one call.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace prunecell::cpu {

/// One block, handed out piece by piece, uninitialized. One, because malloc keeps a freed block at the end of its heap
/// only up to twice the size of the largest it has seen: several would go back to the system at every call, to be
/// cleared page by page when the next one takes them.
class Arena {
 public:
  explicit Arena(std::size_t bytes)
      : block_(std::make_unique_for_overwrite<std::byte[]>(bytes + alignment)), space_(bytes + alignment) {
    next_ = block_.get();
  }

  /// Bytes that take<T>(count) uses up.
  template <class T>
  static std::size_t size_of(std::size_t count) {
    return (count * sizeof(T) + alignment - 1) / alignment * alignment;
  }

  template <class T>
  std::span<T> take(std::size_t count) {
    const std::size_t bytes = size_of<T>(count);
    void* at = std::align(alignment, bytes, next_, space_);
    next_ = static_cast<std::byte*>(at) + bytes;
    space_ -= bytes;
    return {static_cast<T*>(at), count};
  }

 private:
  static constexpr std::size_t alignment = 64;

  std::unique_ptr<std::byte[]> block_;
  std::size_t space_;
  void* next_;
};

}  // namespace prunecell::cpu
