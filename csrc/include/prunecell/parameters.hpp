// The parameters of a cell. Each is a member of `Parameters`, with its default, and a row of `parameter_table`. Checks,
// Python, INI files, the command line and saved states all follow the table.
#pragma once

#include <prunecell/ops.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace prunecell {

enum class Mode : std::uint8_t {
  identity,  ///< nothing is pruned
  fixed,     ///< "Static": pruned to `threshold` at initialization
  gradual    ///< pruned to `start` at initialization, raised by `gamma` until `threshold`
};

/// What they mean: `parameter_table`. Floats are kept as given; every formula uses them rounded to float32.
struct Parameters {
  Mode mode = Mode::identity;
  Filler filler = Filler::random;
  double threshold = default_threshold;
  double delta = default_delta;
  double start = 0.1;
  std::int64_t stepsize = 0;
  double gamma = 0.05;
  bool in_place = true;
  std::uint64_t seed = 0;
  Ties ties = Ties::prune;

  friend bool operator==(const Parameters&, const Parameters&) = default;
};

/// Defaults of the plain operations on arrays and of `prunecell prune`, where IterNonStruct is what is mostly meant.
/// A cell keeps the default of the reference, Random.
inline constexpr Parameters operation_defaults{.filler = Filler::iter_nonstruct};

template <class Value>
struct Word {
  Value value;
  const char* word;
};

/// The words of INI files, Python, the command line and saved states, in exact case.
template <class Value>
inline constexpr auto words = std::array<Word<Value>, 0>{};
template <>
inline constexpr auto words<Mode> = std::array{Word<Mode>{Mode::identity, "Identity"},
                                               Word<Mode>{Mode::fixed, "Static"}, Word<Mode>{Mode::gradual, "Gradual"}};
template <>
inline constexpr auto words<Filler> =
    std::array{Word<Filler>{Filler::none, "None"}, Word<Filler>{Filler::random, "Random"},
               Word<Filler>{Filler::iter_nonstruct, "IterNonStruct"}};
template <>
inline constexpr auto words<Ties> = std::array{Word<Ties>{Ties::prune, "prune"}, Word<Ties>{Ties::keep, "keep"}};

/// Members of `Parameters` by what they accept.
namespace accepted {

template <class Value>
struct OneOf {
  Value Parameters::*member;  ///< a value of words<Value>
};
struct Share {
  double Parameters::*member;  ///< [0, 1]
};
struct Step {
  double Parameters::*member;  ///< finite and > 0, as float32 too
};
struct Count {
  std::int64_t Parameters::*member;  ///< >= 0
};
struct Seed {
  std::uint64_t Parameters::*member;  ///< any
};
struct Flag {
  bool Parameters::*member;  ///< True, False
};

using Any = std::variant<OneOf<Mode>, OneOf<Filler>, OneOf<Ties>, Share, Step, Count, Seed, Flag>;

}  // namespace accepted

/// How far back a parameter goes.
enum class Since : std::uint8_t {
  reference,  ///< N2D2 has it: INI files that are written name it always
  format_1,   ///< every saved state has it
  later       ///< saved states and INI files that lack it mean its default
};

struct ParameterRow {
  const char* name;       ///< in Python, in errors and in saved states
  accepted::Any accepts;  ///< what, and for which member
  const char* ini_key;    ///< after "QWeight."; empty: INI files cannot say it
  Since since;
  const char* doc;
};

inline constexpr std::array parameter_table{
    ParameterRow{"prune_mode", accepted::OneOf<Mode>{&Parameters::mode}, "PruningMode", Since::reference,
                 "When weights are pruned: Static, to `threshold` at once; Gradual, from `start` by steps of `gamma`; "
                 "Identity, never."},
    ParameterRow{"prune_filler", accepted::OneOf<Filler>{&Parameters::filler}, "PruningFiller", Since::reference,
                 "Which weights go: IterNonStruct, the smallest magnitudes; Random, any; None, those of your masks."},
    ParameterRow{"threshold", accepted::Share{&Parameters::threshold}, "Threshold", Since::reference,
                 "Share of weights to prune, 0 to 1."},
    ParameterRow{"delta", accepted::Step{&Parameters::delta}, "Delta", Since::reference,
                 "Grid step of IterNonStruct, in units of the weights, > 0."},
    ParameterRow{"start", accepted::Share{&Parameters::start}, "StartThreshold", Since::reference,
                 "First share of Gradual, 0 to 1."},
    ParameterRow{"stepsize", accepted::Count{&Parameters::stepsize}, "StepSizeThreshold", Since::reference,
                 "Samples from one rise of Gradual to the next, >= 0; 0: a rise at each end of an epoch."},
    ParameterRow{"gamma", accepted::Share{&Parameters::gamma}, "GammaThreshold", Since::reference,
                 "What a rise of Gradual adds to the share, 0 to 1."},
    ParameterRow{"in_place", accepted::Flag{&Parameters::in_place}, "", Since::format_1,
                 "True: the weights themselves are pruned; False: they stay, and a copy is pruned."},
    ParameterRow{"seed", accepted::Seed{&Parameters::seed}, "", Since::format_1,
                 "Seed of the Random filler, 0 to 2**64 - 1."},
    ParameterRow{"ties", accepted::OneOf<Ties>{&Parameters::ties}, "Ties", Since::later,
                 "What IterNonStruct does with a tensor all of whose weights would go, though less is asked: prune, "
                 "they go; keep, the tensor keeps its mask."},
};

/// The word of a value.
const char* name(Mode mode);
const char* name(Filler filler);
const char* name(Ties ties);

/// The reverse, for Mode, Filler and Ties. Throws InvalidArgument naming the parameter and the legal words.
template <class Value>
Value parse(const std::string& word);

/// Throws InvalidArgument naming the first parameter (by its Python name), its value and what is accepted.
void validate(const Parameters& parameters);

/// The rule of a cell's filler, for one tensor at one rise. `threshold`: the share to prune now.
Rule rule_of(const Parameters& parameters, float threshold, std::uint64_t seed, std::uint32_t tensor,
             std::uint32_t rise);

/// One line per parameter that differs, "threshold: 0.5, here 0.3"; empty where all agree.
std::vector<std::string> differences(const Parameters& theirs, const Parameters& ours);

}  // namespace prunecell
