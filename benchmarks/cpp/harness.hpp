// A row of the table: one operation against one yardstick, in turns, so that what disturbs the machine disturbs both.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace benchmarks {

/// How much is run: `check` runs every row once on tiny tensors, for its results only.
enum class Extent { check, quick, full };

struct Options {
  Extent extent = Extent::full;
  std::vector<int> threads = {1};
  int top = 28;  ///< largest size of the row over sizes, as a power of two

  bool full() const { return extent == Extent::full; }
  /// The size of a row, reduced where only results count; never a multiple of a vector then.
  std::int64_t size(std::int64_t wanted) const;
};

/// What stands in the results beside the times, in one line: "group=rebuild data=normal ...".
class Fields {
 public:
  Fields& add(const std::string& key, const std::string& value);
  Fields& add(const std::string& key, std::int64_t value);
  Fields& add(const std::string& key, float value);
  const std::string& line() const { return line_; }

 private:
  std::string line_;
};

struct Race {
  std::function<void()> work, yardstick;
  std::function<void()> prepare = {};  ///< before each of them, not timed
  std::function<void()> bound = {};    ///< the least that the work can do, where that is more than the yardstick
  int calls = 1;                       ///< of each, in one timing: where one call is too short for the clock
};

/// `set_up` makes the tensors, runs the work once and checks it; all memory lives as long as the race.
void add_race(const Options& options, const std::string& name, const Fields& fields, std::int64_t size,
              std::function<Race()> set_up);

/// A row of one number that is no time.
void add_number(const std::string& name, const Fields& fields, const std::string& unit,
                std::function<double()> measure);

/// Whether the result of a row that has run was wrong.
bool a_row_failed();

}  // namespace benchmarks
