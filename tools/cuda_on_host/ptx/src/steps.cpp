#include "steps.hpp"

namespace ptx {

const Steps& Steps::all() {
  static const Steps steps = [] {
    Steps made;
    for (const auto add_family : {add_integers, add_bits, add_floats, add_comparisons, add_conversions, add_moves,
                                  add_memory, add_control, add_collectives})
      add_family(made);
    return made;
  }();
  return steps;
}

Step Steps::find(const std::string& form) const {
  const auto found = steps_.find(form);
  return found == steps_.end() ? nullptr : found->second;
}

}  // namespace ptx
