// How much memory a call takes at its peak.
#pragma once

#include <cstdint>
#include <functional>

namespace benchmarks {

/// The larger of two measures, in bytes: what operator new had handed out at the peak of `body`, beyond what was out
/// before; and the growth of the resident set to its peak, where the system tells it.
std::int64_t peak_during(const std::function<void()>& body);

}  // namespace benchmarks
