// Runs something that may end the process, in a process of its own.
#pragma once

#include <functional>
#include <string>

struct Outcome {
  bool survived = false;  ///< ended by itself
  bool result = false;    ///< what the function returned, if it did
  std::string errors;     ///< what was written to the standard error
};

Outcome run_in_child(const std::function<bool()>& function);
