// Announcements of fibers, barriers and device memory to the sanitizers. The shim itself is compiled without them, so
// that its bookkeeping is invisible; without a sanitizer nothing of this remains.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(SIMT_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" {
void __tsan_atomic32_store(volatile int* address, int value, int order);
void __tsan_java_init(unsigned long begin, unsigned long size);
void __tsan_java_move(unsigned long from, unsigned long to, unsigned long size);
void __tsan_java_free(unsigned long begin, unsigned long size);
}
#endif

namespace simt::sanitizers {

#if defined(SIMT_ASAN)
inline constexpr bool addresses = true;
inline void leave_stack(void** saved, const void* bottom, std::size_t size) {
  __sanitizer_start_switch_fiber(saved, bottom, size);
}
inline void enter_stack(void* saved, const void** from_bottom, std::size_t* from_size) {
  __sanitizer_finish_switch_fiber(saved, from_bottom, from_size);
}
inline void forbid(const void* begin, std::size_t size) { __asan_poison_memory_region(begin, size); }
inline void allow(const void* begin, std::size_t size) { __asan_unpoison_memory_region(begin, size); }
#else
inline constexpr bool addresses = false;
inline void leave_stack(void**, const void*, std::size_t) {}
inline void enter_stack(void*, const void**, std::size_t*) {}
inline void forbid(const void*, std::size_t) {}
inline void allow(const void*, std::size_t) {}
#endif

#if defined(SIMT_TSAN)
inline constexpr bool threads = true;
inline void* current() { return __tsan_get_current_fiber(); }
inline void* create(const std::string& name) {
  void* context = __tsan_create_fiber(0);
  __tsan_set_fiber_name(context, name.c_str());
  return context;
}
/// The sanitizer takes what follows as done by `context`. No order between the two is meant.
inline void become(void* context) { __tsan_switch_to_fiber(context, __tsan_switch_to_fiber_no_sync); }
inline void release(void* token) { __tsan_release(token); }
inline void acquire(void* token) { __tsan_acquire(token); }
/// Makes the token forget earlier releases.
inline void release_first(int* token) { __tsan_atomic32_store(token, 0, __ATOMIC_RELEASE); }
/// Forgets all accesses to the memory, which becomes that of another block. The calls are those of a moving collector,
/// which has freed an object there and moves another one, never accessed, to its place.
inline void forget(char* begin, std::size_t size) {
  alignas(8) static char elsewhere[1 << 16];
  static const bool started = (__tsan_java_init(8, 1ul << 46), true);
  (void)started;
  for (std::size_t done = 0; done < size; done += sizeof elsewhere) {
    const std::size_t part = (std::min(size - done, sizeof elsewhere) + 7) / 8 * 8;
    const auto to = reinterpret_cast<unsigned long>(begin + done);
    __tsan_java_free(to, part);
    __tsan_java_move(reinterpret_cast<unsigned long>(elsewhere), to, part);
  }
}
#else
inline constexpr bool threads = false;
inline void* current() { return nullptr; }
inline void* create(const std::string&) { return nullptr; }
inline void become(void*) {}
inline void release(void*) {}
inline void acquire(void*) {}
inline void release_first(int*) {}
inline void forget(char*, std::size_t) {}
#endif

}  // namespace simt::sanitizers
