// What the processor and the operating system offer, asked in code that any processor runs.
#pragma once

namespace prunecell::cpu {

bool supports_portable();
bool supports_avx2();          // all of x86-64-v3
bool supports_avx512();        // all of x86-64-v4
bool supports_avx512_vbmi2();  // and the compress instructions of 16 bits

}  // namespace prunecell::cpu
