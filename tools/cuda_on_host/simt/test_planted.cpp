// The shim is worth what it catches: kernels with one fault each, and the message of each build.
#include "child.hpp"
#include "planted.hpp"

#include <doctest/doctest.h>
#include <simt/control.hpp>

#include <string>

namespace {

using namespace simt;

constexpr const char* wrong = "wrong result";  // a comparison fails
constexpr const char* unseen = "nothing";      // this build takes it for sound

struct Fault {
  std::string name;
  bool (*run)(bool sound);
  Order order;
  Execution execution;
  const char* plain;
  const char* address;
  const char* thread;

  const char* expected() const {
#if defined(__SANITIZE_ADDRESS__)
    return address;
#elif defined(__SANITIZE_THREAD__)
    return thread;
#else
    return plain;
#endif
  }
};

constexpr auto forward = Order::forward, reverse = Order::reverse, shuffled = Order::random;
constexpr auto eager = Execution::eager, deferred = Execution::deferred;

#define PLANTED(name) #name, planted::name
const Fault faults[] = {
    // name, order, execution, then the messages of the plain, the address and the thread sanitizer's build
    {PLANTED(dropped_barrier), forward, eager, wrong, wrong, "data race"},
    {PLANTED(dropped_barrier), reverse, eager, wrong, wrong, "data race"},
    {PLANTED(barrier_in_divergent_code), forward, eager, "barrier divergence", "barrier divergence",
     "barrier divergence"},
    {PLANTED(barriers_in_two_branches), forward, eager, "barrier divergence", "barrier divergence",
     "barrier divergence"},
    {PLANTED(uninitialised_shared_memory), forward, eager, wrong, wrong, wrong},
    {PLANTED(shared_overrun), forward, eager, unseen, "index 128 out of bounds", unseen},
    {PLANTED(non_atomic_increment), forward, eager, unseen, unseen, "data race"},
    {PLANTED(check_then_act), forward, eager, unseen, unseen, unseen},
    {PLANTED(check_then_act), shuffled, eager, wrong, wrong, wrong},
    {PLANTED(race_between_blocks), forward, eager, unseen, unseen, "data race"},
    {PLANTED(race_between_blocks), reverse, eager, wrong, wrong, "data race"},
    {PLANTED(missing_fence), forward, eager, unseen, unseen, "data race"},
    {PLANTED(endless_wait), forward, eager, "endless wait", "endless wait", "endless wait"},
    {PLANTED(dropped_tail), forward, eager, wrong, wrong, wrong},
    {PLANTED(write_past_the_end), forward, eager, "memory overrun", "use-after-poison", "memory overrun"},
    {PLANTED(read_past_the_end), forward, eager, wrong, "use-after-poison", wrong},
    {PLANTED(misaligned_load), forward, eager, "misaligned access", "misaligned access", "misaligned access"},
    {PLANTED(misaligned_dereference), forward, eager, "fatal signal", "misaligned address", "fatal signal"},
    {PLANTED(missing_clamp), forward, eager, "fatal signal", "outside the range", "fatal signal"},
    {PLANTED(uninitialised_scratch), forward, eager, wrong, wrong, wrong},
    {PLANTED(use_after_free), forward, eager, "use after free", "use-after-poison", "use after free"},
    {PLANTED(host_read_without_synchronisation), forward, eager, unseen, unseen, unseen},
    {PLANTED(host_read_without_synchronisation), forward, deferred, wrong, wrong, wrong},
    {PLANTED(host_dereference), forward, eager, unseen, "use-after-poison", unseen},
    {PLANTED(divergent_collective), forward, eager, "collective divergence", "collective divergence",
     "collective divergence"},
    {PLANTED(different_masks), forward, eager, "collective divergence", "collective divergence",
     "collective divergence"},
    {PLANTED(lane_outside_its_mask), forward, eager, "lane outside its mask", "lane outside its mask",
     "lane outside its mask"},
    {PLANTED(shuffle_from_outside_the_mask), forward, eager, "lane outside its mask", "lane outside its mask",
     "lane outside its mask"},
    {PLANTED(missing_warp_barrier), forward, eager, wrong, wrong, "data race"},
    {PLANTED(vote_taken_for_a_barrier), forward, eager, unseen, unseen, "data race"},
};

/// Whether the result is right, in the random order with each of a few seeds.
bool run(const Fault& fault, bool sound, Order order, Execution execution) {
  bool right = true;
  for (unsigned seed = 1; seed <= (order == shuffled ? 8 : 1); ++seed) {
    options().order = order;
    options().seed = seed;
    options().execution = execution;
    right = fault.run(sound) && right;
  }
  reset();
  return right;
}

TEST_CASE("every planted fault is caught as the table says") {
  for (const Fault& fault : faults) {
    const std::string expected = fault.expected();
    const Outcome outcome = run_in_child([&] { return run(fault, /*sound=*/false, fault.order, fault.execution); });
    CAPTURE(fault.name);
    CAPTURE(expected);
    CAPTURE(outcome.errors);
    if (expected == unseen || expected == wrong) {
      CHECK(outcome.survived);
      CHECK(outcome.errors.empty());
      CHECK(outcome.result == (expected == unseen));
    } else {
      CHECK(outcome.errors.find(expected) != std::string::npos);
    }
  }
}

TEST_CASE("the sound twin of every faulty kernel passes in all orders, eager and deferred") {
  for (const Fault& fault : faults)
    for (const Order order : {forward, reverse, shuffled})
      for (const Execution execution : {eager, deferred}) {
        CAPTURE(fault.name);
        CAPTURE(int(order));
        CAPTURE(int(execution));
        CHECK(run(fault, /*sound=*/true, order, execution));
      }
}

}  // namespace
