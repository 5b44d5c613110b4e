#include <prunecell/error.hpp>
#include <prunecell/parameters.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace prunecell;

struct Anything {
  template <class Type>
  operator Type() const;
};

template <class Struct, std::size_t... Numbers>
constexpr bool has_members(std::index_sequence<Numbers...>) {
  return requires { Struct{(void(Numbers), Anything{})...}; };
}

constexpr std::size_t rows = parameter_table.size();
static_assert(has_members<Parameters>(std::make_index_sequence<rows>()));
static_assert(!has_members<Parameters>(std::make_index_sequence<rows + 1>()), "a member has no row in the table");

std::string refusal(const Parameters& parameters) {
  try {
    validate(parameters);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("no two parameters share a name or a key") {
  std::set<std::string> names, keys;
  for (const ParameterRow& row : parameter_table) {
    CHECK(names.insert(row.name).second);
    if (*row.ini_key) CHECK(keys.insert(row.ini_key).second);
    CHECK(std::string(row.doc).ends_with("."));
  }
}

TEST_CASE("a wrong parameter is refused by name, with the value as given") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(refusal({}) == "");
  CHECK(refusal({.threshold = 1.5}) == "threshold: expected a number from 0 to 1, got 1.5");
  CHECK(refusal({.threshold = std::nextafter(1.0, 2.0)}) != "");
  CHECK(refusal({.start = -0.1}) == "start: expected a number from 0 to 1, got -0.1");
  CHECK(refusal({.gamma = nan}) == "gamma: expected a number from 0 to 1, got nan");
  CHECK(refusal({.stepsize = -1}) == "stepsize: expected 0 or more, got -1");
  for (const double delta : {0.0, -1.0, nan, inf, 1e-46, 1e39}) CHECK(refusal({.delta = delta}).starts_with("delta: "));
  for (const double delta : {1e-45, 7e-45, 3.4e38}) CHECK(refusal({.delta = delta}) == "");
}

TEST_CASE("modes and fillers are words, in exact case") {
  for (const Mode mode : {Mode::identity, Mode::fixed, Mode::gradual}) CHECK(parse<Mode>(name(mode)) == mode);
  for (const Filler filler : {Filler::none, Filler::random, Filler::iter_nonstruct})
    CHECK(parse<Filler>(name(filler)) == filler);
  CHECK_THROWS_WITH_AS(parse<Mode>("static"), "prune_mode: expected one of Identity, Static, Gradual, got 'static'",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(parse<Filler>(""), "prune_filler: expected one of None, Random, IterNonStruct, got ''",
                       InvalidArgument);
}

TEST_CASE("differences name each parameter and both values") {
  const Parameters ours{.mode = Mode::gradual, .threshold = 0.9, .stepsize = 100};
  Parameters theirs = ours;
  CHECK(differences(theirs, ours).empty());
  theirs.threshold = 0.5;
  theirs.in_place = false;
  theirs.mode = Mode::fixed;
  theirs.seed = UINT64_MAX;
  CHECK(differences(theirs, ours) == std::vector<std::string>{"prune_mode: Static, here Gradual",
                                                              "threshold: 0.5, here 0.9", "in_place: False, here True",
                                                              "seed: 18446744073709551615, here 0"});
}

}  // namespace
