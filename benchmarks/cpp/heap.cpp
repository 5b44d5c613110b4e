#include "heap.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

namespace {

std::atomic<std::int64_t> handed_out = 0, peak = 0;

void* take(std::size_t bytes, std::size_t alignment) {
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  const auto size = std::int64_t(malloc_usable_size(memory));
  const std::int64_t now = handed_out.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t before = peak.load(std::memory_order_relaxed);
  while (before < now && !peak.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
  }
  return memory;
}

void give(void* memory) {
  if (!memory) return;
  handed_out.fetch_sub(std::int64_t(malloc_usable_size(memory)), std::memory_order_relaxed);
  std::free(memory);
}

/// VmRSS or VmHWM, in bytes; 0 where there is no such file.
std::int64_t from_status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == key + ":") {
      std::int64_t kib = 0;
      file >> kib;
      return kib * 1024;
    }
  return 0;
}

bool reset_resident_peak() { return bool(std::ofstream("/proc/self/clear_refs") << "5" << std::flush); }

}  // namespace

void* operator new(std::size_t bytes) { return take(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return take(bytes, std::size_t(alignment)); }
void operator delete(void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give(memory); }

namespace benchmarks {

std::int64_t peak_during(const std::function<void()>& body) {
  malloc_trim(0);
  const bool resident_known = reset_resident_peak();
  const std::int64_t resident = from_status("VmRSS"), out = handed_out;
  peak = out;
  body();
  const std::int64_t grown = resident_known ? from_status("VmHWM") - resident : 0;
  return std::max(peak - out, grown);
}

}  // namespace benchmarks
