#include "cpu/simd/processor.hpp"

#ifdef PRUNECELL_X86_VARIANTS
#include <cpuid.h>
#endif

namespace prunecell::cpu {

bool supports_portable() { return true; }

#ifdef PRUNECELL_X86_VARIANTS
namespace {

/// Whether a cpuid leaf has all these bits in ecx. For features that __builtin_cpu_supports of older compilers has no
/// name for, as it has none for the levels of x86-64: GCC 11, clang 14 to 16.
bool has_all(unsigned leaf, unsigned bits) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(leaf, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bits) == bits;
}

}  // namespace

bool supports_avx2() {
  __builtin_cpu_init();
  constexpr unsigned lzcnt = 1u << 5, movbe = 1u << 22, f16c = 1u << 29;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma") && has_all(1, movbe | f16c) && has_all(0x80000001, lzcnt);
}

bool supports_avx512() {
  return supports_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool supports_avx512_vbmi2() { return supports_avx512() && __builtin_cpu_supports("avx512vbmi2"); }
#endif

}  // namespace prunecell::cpu
