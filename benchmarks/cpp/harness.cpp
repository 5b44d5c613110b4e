#include "harness.hpp"

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>

namespace benchmarks {
namespace {

using Times = std::vector<double>;

/// Times that the system took the processor away from a thread of this program.
long preemptions() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

struct Timing {
  double seconds;
  bool disturbed;
};

Timing timing(const Race& race, const std::function<void()>& body) {
  if (race.prepare) race.prepare();
  const long before = preemptions();
  const auto start = std::chrono::steady_clock::now();
  for (int call = 0; call < race.calls; ++call) body();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return {taken.count() / race.calls, preemptions() != before};
}

/// Timings of one row. One in which somebody else had the processor says nothing and is repeated, as long as the
/// row's repeats last: on a machine that is busy all the time they are soon spent.
class Clock {
 public:
  explicit Clock(std::int64_t rounds) : repeats_(4 * rounds) {}

  double seconds(const Race& race, const std::function<void()>& body) {
    Timing one = timing(race, body);
    for (int attempt = 0; one.disturbed && attempt < 4 && repeats_ > 0; ++attempt, --repeats_) one = timing(race, body);
    disturbed_ += one.disturbed;
    return one.seconds;
  }
  int disturbed() const { return disturbed_; }

 private:
  std::int64_t repeats_;
  int disturbed_ = 0;
};

double quantile(Times times, double share) {
  std::ranges::sort(times);
  return times[std::size_t(share * double(times.size() - 1) + 0.5)];
}

void report(benchmark::State& state, const std::string& name, const Times& times) {
  state.counters[name + "_us"] = 1e6 * quantile(times, 0.5);
  state.counters[name + "_p10_us"] = 1e6 * quantile(times, 0.1);
  state.counters[name + "_p90_us"] = 1e6 * quantile(times, 0.9);
}

void run(benchmark::State& state, const Race& race) {
  Times work, yardstick, bound;
  Clock clock(state.max_iterations);
  bool work_first = true;
  for (auto _ : state) {  // who is first finds the tensor in other caches: each in turn
    if (!work_first) yardstick.push_back(clock.seconds(race, race.yardstick));
    work.push_back(clock.seconds(race, race.work));
    if (work_first) yardstick.push_back(clock.seconds(race, race.yardstick));
    if (race.bound) bound.push_back(clock.seconds(race, race.bound));
    work_first = !work_first;
    state.SetIterationTime(work.back());
  }
  report(state, "work", work);
  report(state, "floor", yardstick);
  state.counters["ratio"] = quantile(work, 0.5) / quantile(yardstick, 0.5);
  if (race.bound) {
    report(state, "bound", bound);
    state.counters["over_bound"] = quantile(work, 0.5) / quantile(bound, 0.5);
  }
  state.counters["disturbed"] = double(clock.disturbed()) / double(work.size() + yardstick.size() + bound.size());
}

int rounds(const Options& options, std::int64_t size) {
  if (options.extent == Extent::check) return 1;
  const int whole = size <= 1 << 20 ? 101 : size <= 1 << 24 ? 21 : size <= 1 << 26 ? 11 : 5;
  return options.full() ? whole : (whole + 1) / 2;
}

/// Calls in one timing: together they handle 2^18 weights or more.
int calls(std::int64_t size) {
  return int(std::clamp<std::int64_t>((1 << 18) / std::max<std::int64_t>(size, 1), 1, 128));
}

// Kept here: how google-benchmark tells it differs between its versions.
bool failed = false;

void fail(benchmark::State& state, const std::exception& error) {
  failed = true;
  state.SkipWithError(error.what());
}

}  // namespace

bool a_row_failed() { return failed; }

std::int64_t Options::size(std::int64_t wanted) const {
  return extent == Extent::check ? std::min<std::int64_t>(wanted, 10'007) : wanted;
}

Fields& Fields::add(const std::string& key, const std::string& value) {
  line_ += (line_.empty() ? "" : " ") + key + "=" + value;
  return *this;
}

Fields& Fields::add(const std::string& key, std::int64_t value) { return add(key, std::to_string(value)); }

Fields& Fields::add(const std::string& key, float value) {  // in as few digits as name it
  char digits[32];
  return add(key, std::string(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr));
}

void add_race(const Options& options, const std::string& name, const Fields& fields, std::int64_t size,
              std::function<Race()> set_up) {
  const int repeats = options.extent == Extent::check ? 1 : calls(size);
  const auto body = [=](benchmark::State& state) {
    state.SetLabel(fields.line());
    try {
      Race race = set_up();
      if (!race.prepare) race.calls = repeats;
      run(state, race);
    } catch (const std::exception& error) {
      fail(state, error);
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), body)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(rounds(options, size));
}

void add_number(const std::string& name, const Fields& fields, const std::string& unit,
                std::function<double()> measure) {
  const auto body = [=](benchmark::State& state) {
    state.SetLabel(fields.line());
    try {
      for (auto _ : state) state.counters[unit] = measure();
    } catch (const std::exception& error) {
      fail(state, error);
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->Iterations(1);
}

}  // namespace benchmarks
