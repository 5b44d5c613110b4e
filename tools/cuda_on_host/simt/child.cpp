#include "child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <stdexcept>

namespace {

constexpr int says_true = 10, says_false = 11;  // apart from the exit statuses of the sanitizers

[[noreturn]] void be_child(const std::function<bool()>& function, int errors) {
  dup2(errors, STDERR_FILENO);
  std::signal(SIGABRT, SIG_DFL);  // no word from the test framework
  alarm(60);
  _exit(function() ? says_true : says_false);
}

std::string read_all(int file) {
  std::string text;
  char part[4096];
  for (ssize_t got; (got = read(file, part, sizeof part)) > 0;) text.append(part, std::size_t(got));
  return text;
}

}  // namespace

Outcome run_in_child(const std::function<bool()>& function) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe");
  std::cout.flush();  // or both processes would write the text that waits there
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) be_child(function, ends[1]);
  close(ends[1]);
  Outcome outcome;
  outcome.errors = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.survived = code == says_true || code == says_false;
  outcome.result = code == says_true;
  return outcome;
}
