// A rebuild by two threads while other programs keep every core busy, as the loader workers of a training do.
#include "check.hpp"
#include "workload.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

namespace benchmarks {
namespace {

using namespace std::chrono_literals;

/// A program that computes for each core that this one may use.
class BusyCores {
 public:
  BusyCores() {
    cpu_set_t usable;
    sched_getaffinity(0, sizeof usable, &usable);
    const pid_t parent = getpid();
    for (int core = 0; core < CPU_COUNT(&usable); ++core) {
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned long work = 0; getppid() == parent;)
          for (int i = 0; i < 1 << 20; ++i) work = work + 1;
        _exit(0);
      }
      children_.push_back(child);
    }
    std::this_thread::sleep_for(100ms);  // they have begun
  }
  ~BusyCores() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

 private:
  std::vector<pid_t> children_;
};

/// Median time of a call. Between two of them the caller waits, as a training step would.
template <class Call>
double median_seconds(int calls, Call&& call) {
  std::vector<double> seconds;
  for (int c = 0; c < calls; ++c) {
    std::this_thread::sleep_for(3ms);
    const auto begin = std::chrono::steady_clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::nth_element(seconds, seconds.begin() + calls / 2);
  return seconds[std::size_t(calls / 2)];
}

/// Busy time over the quiet time of one thread.
double over_quiet(const Workload& workload, int calls) {
  const auto tensor = workload.tensor();
  const Bits mask(workload.size);
  const RebuildJob job = workload.job(*tensor, mask);
  const Context context = workload.context();
  check_iter_nonstruct(job, once(prunecell::build_masks, context, job));
  const double quiet = median_seconds(calls, [&] { once(prunecell::build_masks, {{}, 1}, job); });
  const BusyCores busy;
  return median_seconds(calls, [&] { once(prunecell::build_masks, context, job); }) / quiet;
}

}  // namespace

void add_busy_rows(const Options& options) {
  const int calls = options.extent == Extent::check ? 1 : options.full() ? 101 : 31;
  for (const int threads : options.threads) {
    const Workload workload = {.group = "busy", .size = options.size(power(24)), .threads = threads};
    add_number(workload.name(), workload.fields(), "over_quiet", [=] { return over_quiet(workload, calls); });
  }
}

}  // namespace benchmarks
