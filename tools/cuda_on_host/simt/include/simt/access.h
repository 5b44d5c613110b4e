// Loads and stores with a cache hint. A GPU faults on a vector access that is not aligned, and so do these.
#pragma once

#include <simt/thread.h>

#include <cstdint>
#include <type_traits>

namespace simt {

template <class T>
concept Accessible = std::is_arithmetic_v<T> || is_vector<T>;

template <Accessible T>
void check_alignment(const T* address, Where where) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignof(T) != 0)
    fault("misaligned access", "the address is no multiple of the type's alignment", where);
}

}  // namespace simt

#define SIMT_LOAD(name)                                                  \
  template <simt::Accessible T>                                          \
  T name(const T* address, simt::Where where = simt::Where::current()) { \
    simt::check_alignment(address, where);                               \
    return *address;                                                     \
  }
SIMT_LOAD(__ldg)
SIMT_LOAD(__ldca)
SIMT_LOAD(__ldcg)
SIMT_LOAD(__ldcs)
SIMT_LOAD(__ldlu)
SIMT_LOAD(__ldcv)
#undef SIMT_LOAD

#define SIMT_STORE(name)                                                                             \
  template <simt::Accessible T>                                                                      \
  void name(T* address, std::type_identity_t<T> value, simt::Where where = simt::Where::current()) { \
    simt::check_alignment(address, where);                                                           \
    *address = value;                                                                                \
  }
SIMT_STORE(__stwb)
SIMT_STORE(__stcg)
SIMT_STORE(__stcs)
SIMT_STORE(__stwt)
#undef SIMT_STORE
