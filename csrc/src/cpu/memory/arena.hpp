// Scratch memory of one call.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
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
    if (bytes >= fresh_every_time) ask_for_huge_pages(next_, bytes);
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
  /// Blocks that malloc gives back to the system whatever it has seen: each page is cleared again at every call.
  static constexpr std::size_t fresh_every_time = std::size_t(32) << 20;

  /// A fault for 2 MiB instead of one for each 4 KiB, where the system grants it.
  static void ask_for_huge_pages(void* begin, std::size_t bytes) {
    constexpr std::uintptr_t page = 4096;
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
    madvise(reinterpret_cast<void*>(first), bytes / page * page - page, MADV_HUGEPAGE);
  }

  std::unique_ptr<std::byte[]> block_;
  std::size_t space_;
  void* next_;
};

}  // namespace prunecell::cpu
