#include "cpu/parallel/parallel.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using prunecell::cpu::parallel;
using prunecell::cpu::thread_count;
using namespace std::chrono_literals;

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

TEST_CASE("every share is done once, whoever is there, by several callers at a time") {
  constexpr int callers = 4, rounds = 500;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < callers; ++caller)
    threads.emplace_back([&, caller] {
      for (int round = 0; round < rounds; ++round) {
        const int shares = 2 + (round + caller) % 5;
        std::vector<int> done(std::size_t(shares), 0);  // each written by one thread, and read when all are done
        parallel(shares, [&](int share) { ++done[std::size_t(share)]; });
        for (const int times : done) wrong += times != 1;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads of the pool help, and none starts threads of its own") {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  for (int attempt = 0; attempt < 100 && seen.size() < 2; ++attempt)
    parallel(2, [&](int) {
      std::this_thread::sleep_for(5ms);
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      CHECK(thread_count(8, std::int64_t(1) << 40) == 1);
    });
  CHECK(seen.size() == 2);
  CHECK(thread_count(3, std::int64_t(1) << 40) == 3);
}

TEST_CASE("a caller waits for no thread that has not begun") {
  constexpr int all = 32;  // more than any case asked for before
  std::atomic<int> held = 0;
  std::atomic<bool> release = false;
  std::thread other([&] {
    parallel(all, [&](int) {
      ++held;
      while (!release) std::this_thread::sleep_for(1ms);
    });
  });
  while (held < all) std::this_thread::sleep_for(1ms);
  std::vector<std::thread::id> done(2);
  parallel(2, [&](int share) { done[std::size_t(share)] = std::this_thread::get_id(); });
  release = true;
  other.join();
  for (const std::thread::id who : done) CHECK(who == std::this_thread::get_id());
}

std::atomic<bool> interrupted_here;

TEST_CASE("signals reach the program's own threads, not those of the pool") {
  static pthread_t expected;
  expected = pthread_self();
  const auto before =
      std::signal(SIGUSR1, [](int) { interrupted_here = pthread_equal(pthread_self(), expected) != 0; });
  parallel(4, [](int) { std::this_thread::sleep_for(2ms); });
  for (int i = 0; i < 20; ++i) {
    interrupted_here = false;
    kill(getpid(), SIGUSR1);
    for (int wait = 0; wait < 1000 && !interrupted_here; ++wait) std::this_thread::sleep_for(1ms);
    REQUIRE(interrupted_here);
  }
  std::signal(SIGUSR1, before);
}

TEST_CASE("a forked child works alone, also while the pool is at work") {
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) parallel(3, [](int) {});
  });
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    if (child == 0) _exit(thread_count(8, std::int64_t(1) << 40) == 1 ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  stop = true;
  busy.join();
}

}  // namespace
