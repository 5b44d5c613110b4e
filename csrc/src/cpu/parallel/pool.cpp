#include "cpu/parallel/pool.hpp"
#include "cpu/parallel/parallel.hpp"

#include <omp.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace prunecell::cpu {
namespace {

std::atomic<bool> forked{false};
/// Set when the library is loaded, not when it is first used: a program may fork in between.
const int fork_watched = pthread_atfork(nullptr, nullptr, [] { forked = true; });

/// Whether this thread is at work on a share.
thread_local bool at_work = false;

class AtWork {
 public:
  AtWork() : before_(std::exchange(at_work, true)) {}
  ~AtWork() { at_work = before_; }

 private:
  bool before_;
};

/// What one caller wants done. It lies on the caller's stack; threads touch it under the pool's lock, and between the
/// claim of a share and its end.
struct Task {
  void (*call)(void* work, int share);
  void* work;
  int shares;
  int claimed = 0;
  int running = 0;  ///< shares at threads of the pool
  Task* next = nullptr;

  bool open() const { return claimed < shares; }
};

class Pool {
 public:
  void run(Task& task) {
    std::unique_lock lock(mutex_);
    grow(task.shares - 1);
    push(task);
    wanted_.store(wanted_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    const bool wakes = asleep_ > 0;
    const int first = task.claimed++;
    lock.unlock();
    if (wakes && task.shares > 2)
      work_.notify_all();
    else if (wakes)
      work_.notify_one();
    perform(task, first);
    lock.lock();
    while (task.open()) work_on(task, lock);
    remove(task);
    for (const auto end = std::chrono::steady_clock::now() + patience; task.running > 0;) {
      lock.unlock();
      if (std::chrono::steady_clock::now() > end) break;
      pause();
      lock.lock();
    }
    if (!lock.owns_lock()) lock.lock();
    done_.wait(lock, [&] { return task.running == 0; });
  }

 private:
  /// How long a thread looks for work, and a caller for the end of it, before it sleeps: about what waking takes.
  static constexpr std::chrono::microseconds patience{50};

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  void push(Task& task) {
    task.next = tasks_;
    tasks_ = &task;
  }
  void remove(Task& task) {
    Task** at = &tasks_;
    while (*at != &task) at = &(*at)->next;
    *at = task.next;
  }
  Task* open_task() const {
    Task* task = tasks_;
    while (task && !task->open()) task = task->next;
    return task;
  }

  /// Takes one share. The lock is held before and after, not meanwhile.
  static void work_on(Task& task, std::unique_lock<std::mutex>& lock) {
    const int share = task.claimed++;
    lock.unlock();
    perform(task, share);
    lock.lock();
  }

  static void perform(const Task& task, int share) {
    const AtWork working;
    task.call(task.work, share);
  }

  [[noreturn]] void help() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (Task* task = open_task()) {
        ++task->running;
        work_on(*task, lock);
        if (--task->running == 0) done_.notify_all();
        continue;
      }
      look_for_work(lock);
    }
  }

  void look_for_work(std::unique_lock<std::mutex>& lock) {
    const std::uint64_t seen = wanted_.load(std::memory_order_relaxed);
    lock.unlock();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (wanted_.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < end) pause();
    lock.lock();
    ++asleep_;
    work_.wait(lock, [&] { return open_task() != nullptr; });
    --asleep_;
  }

  /// Sees to it that there are so many threads, as far as the system has them. They take no signals but those of faults
  /// of their own and of profilers.
  void grow(int threads) {
    if (threads_ >= threads) return;
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (const int taken : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) sigdelset(&blocked, taken);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    try {
      for (; threads_ < threads; ++threads_) std::thread([this] { help(); }).detach();
    } catch (const std::system_error&) {  // the caller does what they would
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  std::mutex mutex_;
  std::condition_variable work_, done_;
  Task* tasks_ = nullptr;
  std::atomic<std::uint64_t> wanted_{0};  ///< tasks so far
  int asleep_ = 0, threads_ = 0;
};

/// Never destroyed: its threads may wait in it until the process ends.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

int thread_count(int requested, std::int64_t work) {
  constexpr std::int64_t weights_per_thread = 1 << 17;  // less takes no longer than waking a thread for it
  if (fork_watched != 0 || forked || at_work || omp_in_parallel()) return 1;
  const std::int64_t most = requested > 0 ? requested : omp_get_max_threads();
  return int(std::clamp<std::int64_t>(work / weights_per_thread, 1, most));
}

void run_shares(int shares, void (*call)(void* work, int share), void* work) {
  Task task{call, work, shares};
  pool().run(task);
}

}  // namespace prunecell::cpu
