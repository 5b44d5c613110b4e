#include <prunecell/schedule.hpp>

#include "api/check.hpp"

namespace prunecell {

Schedule::Schedule(const Parameters& parameters) : parameters_(parameters) {
  validate(parameters);
  switch (parameters.mode) {
    case Mode::identity: current_ = 0; break;
    case Mode::fixed: current_ = semantics::f32(parameters.threshold); break;
    case Mode::gradual: current_ = semantics::f32(parameters.start); break;
  }
}

bool Schedule::update(std::int64_t batch_size) {
  check_not_negative("batch_size", batch_size);
  if (parameters_.mode != Mode::gradual || parameters_.stepsize == 0) return false;
  if (batch_size > INT64_MAX - counter_)
    refuse("batch_size", "a sample count that fits the counter", to_text(batch_size));
  counter_ += batch_size;
  if (counter_ < parameters_.stepsize) return false;
  counter_ -= parameters_.stepsize;
  return rise();
}

bool Schedule::end_epoch() {
  if (parameters_.mode != Mode::gradual || parameters_.stepsize > 0) return false;
  return rise();
}

bool Schedule::ended() const {
  if (parameters_.mode != Mode::gradual) return parameters_.mode == Mode::fixed;
  return current_ >= semantics::f32(parameters_.threshold);
}

bool Schedule::rise() {
  if (ended()) return false;
  const float threshold = semantics::f32(parameters_.threshold);
  // The float32 sum is the reference's, so that masks follow it bit for bit; but a sum that rounding leaves just
  // below the threshold would cost it one more, useless rise.
  constexpr double rounding = 1e-6;
  current_ += semantics::f32(parameters_.gamma);
  if (double(threshold) - double(current_) < rounding) current_ = threshold;
  ++rises_;
  return true;
}

void Schedule::resume(float current, std::int64_t rises, std::int64_t counter) {
  check_share("current threshold", current);
  check_not_negative("rises", rises);
  if (rises == INT64_MAX) refuse("rises", "a number that one more fits", to_text(rises));
  check_not_negative("counter", counter);
  current_ = current;
  rises_ = rises;
  counter_ = counter;
}

}  // namespace prunecell
