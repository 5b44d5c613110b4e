#include "cpu/simd/kernels.hpp"

#include <atomic>
#include <cstring>
#include <vector>

namespace prunecell::cpu {

extern const Kernels kernels_portable;
#ifdef PRUNECELL_X86_VARIANTS
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const Kernels kernels_avx512_vbmi2;
#endif

namespace {
std::atomic<const Kernels*> forced = nullptr;
}

std::span<const Kernels> kernel_variants() {
  static const std::vector<Kernels> variants = {
      kernels_portable,
#ifdef PRUNECELL_X86_VARIANTS
      kernels_avx2,
      kernels_avx512,
      kernels_avx512_vbmi2,
#endif
  };
  return variants;
}

const Kernels& kernels() {
  static const Kernels& best = [&]() -> const Kernels& {
    const Kernels* found = nullptr;
    for (const Kernels& variant : kernel_variants())
      if (variant.supported()) found = &variant;
    return *found;
  }();
  const Kernels* choice = forced.load(std::memory_order_relaxed);
  return choice ? *choice : best;
}

bool force_kernels(const char* isa) {
  const Kernels* choice = nullptr;
  if (isa) {
    for (const Kernels& variant : kernel_variants())
      if (variant.supported() && std::strcmp(variant.isa, isa) == 0) choice = &variant;
    if (!choice) return false;
  }
  forced = choice;
  return true;
}

}  // namespace prunecell::cpu
