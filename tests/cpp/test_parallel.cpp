#include "cpu/memory/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>

namespace {

using prunecell::cpu::parallel;

TEST_CASE("what a body throws reaches the caller when all bodies are done") {
  for (int thrower = 0; thrower < 3; ++thrower) {
    std::atomic<int> done = 0;
    const auto body = [&](int thread) {
      if (thread == thrower) throw std::runtime_error("of thread " + std::to_string(thread));
      ++done;
    };
    CHECK_THROWS_WITH_AS(parallel(3, body), ("of thread " + std::to_string(thrower)).c_str(), std::runtime_error);
    CHECK(done == 2);
  }
}

TEST_CASE("no threads are one thread") {
  int calls = 0;
  parallel(0, [&](int thread) { calls += thread == 0; });
  CHECK(calls == 1);
}

}  // namespace
