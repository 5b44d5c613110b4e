// A copy of host memory on a device, at the same alignment and between sentinels.
#pragma once

#include "cuda/loader/cuda_plugin.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace axis {

class DeviceCopy {
 public:
  DeviceCopy(void* host, std::size_t size, int device)
      : host_(host),
        size_(size),
        device_(device),
        offset_(guard + reinterpret_cast<std::uintptr_t>(host) % guard),
        memory_(device, offset_ + size + guard) {
    std::vector<std::byte> all(offset_ + size + guard, sentinel);
    std::copy_n(static_cast<const std::byte*>(host), size, all.data() + offset_);
    copy(memory_.data(), all.data(), all.size());
  }

  void* host() const { return host_; }
  std::size_t size() const { return size_; }
  void* data() const { return static_cast<std::byte*>(memory_.data()) + offset_; }

  /// Copies back to the host; the sentinels around it must not have changed.
  void download() {
    std::vector<std::byte> all(offset_ + size_ + guard);
    copy(all.data(), memory_.data(), all.size());
    const auto begin = all.begin() + std::ptrdiff_t(offset_), end = begin + std::ptrdiff_t(size_);
    const auto is_sentinel = [](std::byte byte) { return byte == sentinel; };
    REQUIRE(std::all_of(all.begin(), begin, is_sentinel));
    REQUIRE(std::all_of(end, all.end(), is_sentinel));
    std::copy(begin, end, static_cast<std::byte*>(host_));
  }

 private:
  static constexpr std::size_t guard = 64;
  static constexpr std::byte sentinel{0xa5};

  void copy(void* to, const void* from, std::size_t bytes) const {
    prunecell::cuda::raise(prunecell::cuda::plugin().copy(device_, to, from, bytes));
  }

  void* host_;
  std::size_t size_;
  int device_;
  std::size_t offset_;
  prunecell::cuda::DeviceMemory memory_;
};

}  // namespace axis
