// Runs something that may end the process, in a process of its own.
#pragma once

#include <functional>
#include <string>

struct Outcome {
  bool survived = false;  ///< it ended by itself
  bool result = false;    ///< the function's result, if it returned
  std::string errors;     ///< the standard error
};

Outcome run_in_child(const std::function<bool()>& function);
