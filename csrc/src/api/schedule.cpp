#include <prunecell/schedule.hpp>

#include "api/check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace prunecell {
namespace {

constexpr std::array modes = {std::pair{Mode::identity, "Identity"}, std::pair{Mode::fixed, "Static"},
                              std::pair{Mode::gradual, "Gradual"}};
constexpr std::array fillers = {std::pair{Filler::none, "None"}, std::pair{Filler::random, "Random"},
                                std::pair{Filler::iter_nonstruct, "IterNonStruct"}};
constexpr std::array ties_words = {std::pair{Ties::prune, "prune"}, std::pair{Ties::keep, "keep"}};

template <class Words, class Value>
const char* find_name(const Words& words, Value value) {
  for (const auto& [known, word] : words)
    if (known == value) return word;
  return "?";
}

template <class Words>
auto parse(const char* parameter, const Words& words, const std::string& given) {
  std::string legal;
  for (const auto& [known, word] : words) {
    if (given == word) return known;
    legal += (legal.empty() ? "" : ", ") + std::string(word);
  }
  refuse(parameter, "one of " + legal, "'" + given + "'");
}

}  // namespace

const char* name(Mode mode) { return find_name(modes, mode); }
const char* name(Filler filler) { return find_name(fillers, filler); }
const char* name(Ties ties) { return find_name(ties_words, ties); }
Mode parse_mode(const std::string& word) { return parse("prune_mode", modes, word); }
Filler parse_filler(const std::string& word) { return parse("prune_filler", fillers, word); }
Ties parse_ties(const std::string& word) { return parse("ties", ties_words, word); }

void validate(const Parameters& p) {
  check_share("threshold", p.threshold);
  check_delta("delta", p.delta);
  check_share("start", p.start);
  check_not_negative("stepsize", p.stepsize);
  check_share("gamma", p.gamma);
}

Rule rule_of(const Parameters& parameters, float threshold, std::uint64_t seed, std::uint32_t tensor,
             std::uint32_t rise) {
  switch (parameters.filler) {
    case Filler::none: break;
    case Filler::random: return Random{threshold, seed, tensor, rise};
    case Filler::iter_nonstruct: return IterNonStruct{threshold, semantics::f32(parameters.delta), parameters.ties};
  }
  return None{};
}

std::vector<std::string> differences(const Parameters& theirs, const Parameters& ours) {
  std::vector<std::string> out;
  const auto compare = [&](const char* parameter, const auto& a, const auto& b, auto text) {
    if (a != b) out.push_back(std::string(parameter) + ": " + text(a) + ", here " + text(b));
  };
  const auto word = [](auto value) { return std::string(name(value)); };
  const auto number = [](auto value) { return to_text(value); };
  compare("prune_mode", theirs.mode, ours.mode, word);
  compare("prune_filler", theirs.filler, ours.filler, word);
  compare("threshold", theirs.threshold, ours.threshold, number);
  compare("delta", theirs.delta, ours.delta, number);
  compare("start", theirs.start, ours.start, number);
  compare("stepsize", theirs.stepsize, ours.stepsize, number);
  compare("gamma", theirs.gamma, ours.gamma, number);
  compare("in_place", theirs.in_place, ours.in_place, [](bool value) { return std::string(value ? "True" : "False"); });
  compare("seed", theirs.seed, ours.seed, number);
  compare("ties", theirs.ties, ours.ties, word);
  return out;
}

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
