#include <prunecell/error.hpp>
#include <prunecell/schedule.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace {

using namespace prunecell;

Parameters gradual(double threshold, double start, double gamma, std::int64_t stepsize) {
  return {.mode = Mode::gradual, .threshold = threshold, .start = start, .stepsize = stepsize, .gamma = gamma};
}

TEST_CASE("surplus samples are carried") {
  Schedule schedule(gradual(0.9, 0.1, 0.05, 100));
  std::vector<int> rises;
  for (int update = 1; update <= 13; ++update)
    if (schedule.update(32)) rises.push_back(update);
  CHECK(rises == std::vector{4, 7, 10, 13});
  CHECK(schedule.rises() == 4);
  CHECK(schedule.counter() == 13 * 32 - 400);
}

TEST_CASE("an update rises at most once") {
  Schedule schedule(gradual(0.9, 0.1, 0.1, 10));
  CHECK(schedule.update(1000));
  CHECK(schedule.rises() == 1);
  CHECK(schedule.counter() == 990);
}

TEST_CASE("thresholds are the float32 sums, the last one exactly the threshold") {
  Schedule schedule(gradual(0.8, 0.05, 0.15, 0));
  float sum = 0.05f;
  for (int rise = 0; rise < 4; ++rise) {
    CHECK(schedule.end_epoch());
    sum += 0.15f;
    CHECK(schedule.current() == sum);
  }
  CHECK(sum + 0.15f < 0.8f);  // one ulp below would cost one more rise
  CHECK(schedule.end_epoch());
  CHECK(schedule.current() == 0.8f);
  CHECK_FALSE(schedule.end_epoch());
  CHECK(schedule.rises() == 5);
}

TEST_CASE("a sum one millionth below the threshold is not there yet") {
  Schedule near(gradual(0.5, 0.25, 0.25 - 0.9e-6, 0)), far(gradual(0.5, 0.25, 0.25 - 1.2e-6, 0));
  near.end_epoch();
  far.end_epoch();
  CHECK(near.current() == 0.5f);
  CHECK(far.current() < 0.5f);
}

TEST_CASE("epochs rise where the step size is 0, samples where it is not, other modes never") {
  Schedule epochs(gradual(0.9, 0.1, 0.1, 0)), samples(gradual(0.9, 0.1, 0.1, 1));
  CHECK_FALSE(epochs.update(1000));
  CHECK(epochs.end_epoch());
  CHECK_FALSE(samples.end_epoch());
  CHECK(samples.update(1));
  for (const Mode mode : {Mode::identity, Mode::fixed}) {
    Schedule other({.mode = mode, .threshold = 0.5, .stepsize = 1});
    CHECK(other.current() == (mode == Mode::fixed ? 0.5f : 0.0f));
    CHECK_FALSE(other.update(10));
    CHECK_FALSE(other.end_epoch());
  }
}

TEST_CASE("a start at or above the threshold stays") {
  for (const double start : {0.3, 0.5}) {
    Schedule schedule(gradual(0.3, start, 0.1, 1));
    CHECK_FALSE(schedule.update(5));
    CHECK(schedule.current() == float(start));
  }
}

TEST_CASE("with gamma 0 every rise still rebuilds") {
  Schedule schedule(gradual(0.5, 0.3, 0, 1));
  for (int i = 0; i < 3; ++i) CHECK(schedule.update(1));
  CHECK(schedule.current() == 0.3f);
}

TEST_CASE("a wrong count of samples is refused and counts nothing") {
  Schedule schedule(gradual(0.9, 0.1, 0.1, INT64_MAX));
  CHECK_THROWS_WITH_AS(schedule.update(-1), "batch_size: expected 0 or more, got -1", InvalidArgument);
  CHECK_FALSE(schedule.update(INT64_MAX - 1));
  CHECK_THROWS_AS(schedule.update(2), InvalidArgument);
  CHECK(schedule.counter() == INT64_MAX - 1);
  CHECK(schedule.update(1));
  CHECK(schedule.counter() == 0);
}

TEST_CASE("a schedule resumes where it was saved") {
  Schedule first(gradual(0.9, 0.1, 0.05, 100));
  for (int i = 0; i < 9; ++i) first.update(32);
  Schedule second(first.parameters());
  second.resume(first.current(), first.rises(), first.counter());
  for (int i = 0; i < 50; ++i) {
    CHECK(first.update(32) == second.update(32));
    CHECK(first.current() == second.current());
  }
  CHECK_THROWS_AS(second.resume(1.5f, 0, 0), InvalidArgument);
  CHECK_THROWS_AS(second.resume(0.5f, -1, 0), InvalidArgument);
  CHECK_THROWS_AS(second.resume(0.5f, 0, -1), InvalidArgument);
  CHECK_THROWS_AS(second.resume(0.5f, INT64_MAX, 0), InvalidArgument);
}

TEST_CASE("a schedule refuses wrong parameters") {
  CHECK_THROWS_WITH_AS(Schedule({.threshold = 2}), "threshold: expected a number from 0 to 1, got 2", InvalidArgument);
}

}  // namespace
