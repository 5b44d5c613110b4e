// Integer atomics: relaxed, as on a GPU, so that the thread sanitizer takes no order from them.
#pragma once

#include <concepts>
#include <type_traits>

namespace simt {

/// Lets other threads go first now and then: a thread that polls must not starve the one that it waits for, and the
/// random order changes threads between atomics.
void before_atomic();

template <class T>
concept Atomic = std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, unsigned long long>;

/// The value before `change`.
template <Atomic T, class Change>
T atomic_update(T* address, Change change) {
  before_atomic();
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(address, &old, change(old), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}

}  // namespace simt

#define SIMT_ATOMIC(name, result)                                                           \
  template <simt::Atomic T>                                                                 \
  T name(T* address, std::type_identity_t<T> value) {                                       \
    return simt::atomic_update(address, [=]([[maybe_unused]] T old) { return T(result); }); \
  }                                                                                         \
  template <simt::Atomic T>                                                                 \
  T name##_block(T* address, std::type_identity_t<T> value) {                               \
    return name(address, value);                                                            \
  }
SIMT_ATOMIC(atomicSub, static_cast<unsigned long long>(old) - static_cast<unsigned long long>(value))
SIMT_ATOMIC(atomicMin, old < value ? old : value)
SIMT_ATOMIC(atomicMax, old < value ? value : old)
SIMT_ATOMIC(atomicAnd, old& value)
SIMT_ATOMIC(atomicOr, old | value)
SIMT_ATOMIC(atomicXor, old ^ value)
SIMT_ATOMIC(atomicExch, value)
SIMT_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
SIMT_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)
#undef SIMT_ATOMIC

template <simt::Atomic T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  simt::before_atomic();
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
template <simt::Atomic T>
T atomicAdd_block(T* address, std::type_identity_t<T> value) {
  return atomicAdd(address, value);
}

template <simt::Atomic T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  simt::before_atomic();
  __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <simt::Atomic T>
T atomicCAS_block(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  return atomicCAS(address, expected, desired);
}
