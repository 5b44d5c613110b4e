// Runs a few instructions of PTX.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace snippet {

/// One word for each thread.
using Words = std::vector<std::uint64_t>;

/// Runs `body` in a block of so many threads and returns the memory that it leaves, one word per thread. At the start
/// this is `memory`, or zeros. Registers %p, %rs, %r, %rd, %f and %fd may be used from 0 to 9; %rd9 is the address of
/// the thread's word, %rd8 that of the first one, %r9 the thread's number. Shared variables are `first`, 32 bytes, and
/// `second`, 20 bytes.
Words run(const std::string& body, unsigned threads = 1, Words memory = {});

// Register 0 of the type, as one thread leaves it.
std::uint16_t rs0(const std::string& body);
std::uint32_t r0(const std::string& body);
std::uint64_t rd0(const std::string& body);
float f0(const std::string& body);
double fd0(const std::string& body);
bool p0(const std::string& body);

/// The standard error of a body that aborts; empty if it does not abort.
std::string fault_of(const std::string& body, unsigned threads = 1);

}  // namespace snippet
