// All rows. Beside the options of google-benchmark: --extent=check|quick|full, --threads=1,2, --top=28 (largest size of
// the rows over sizes, as a power of two), --real=FILE (trained weights as raw float32).
#include "workload.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <iostream>
#include <sstream>
#include <string_view>

using benchmarks::Extent;
using benchmarks::Options;

namespace {

Extent extent_of(const std::string& word) {
  if (word == "check") return Extent::check;
  if (word == "quick") return Extent::quick;
  if (word == "full") return Extent::full;
  throw std::invalid_argument("--extent: expected check, quick or full, got " + word);
}

std::vector<int> numbers_of(const std::string& words) {
  std::vector<int> numbers;
  std::istringstream text(words);
  for (std::string word; std::getline(text, word, ',');) numbers.push_back(std::stoi(word));
  return numbers;
}

/// Takes our options out of the list and leaves the others.
Options parse(int& count, char** words) {
  Options options;
  const auto ours = [&](std::string_view word) {
    const std::string value(word.substr(std::min(word.find('=') + 1, word.size())));
    if (word.starts_with("--extent="))
      options.extent = extent_of(value);
    else if (word.starts_with("--threads="))
      options.threads = numbers_of(value);
    else if (word.starts_with("--top="))
      options.top = std::stoi(value);
    else if (word.starts_with("--real="))
      benchmarks::set_real_weights(value);
    else
      return false;
    return true;
  };
  count = int(std::remove_if(words + 1, words + count, ours) - words);
  if (options.extent == Extent::check) options.top = 12;
  return options;
}

}  // namespace

int main(int count, char** words) try {
  const Options options = parse(count, words);
  benchmark::Initialize(&count, words);
  if (benchmark::ReportUnrecognizedArguments(count, words)) return 1;
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmarks::add_memory_rows(options);  // first: memory that later rows leave behind would hide what is taken
  benchmarks::add_rebuild_rows(options);
  benchmarks::add_busy_rows(options);
  benchmarks::add_adversarial_rows(options);
  benchmarks::add_apply_rows(options);
  benchmarks::add_network_rows(options);
  benchmarks::add_random_rows(options);
  benchmarks::add_layout_rows(options);
  benchmarks::add_pack_rows(options);
  benchmarks::add_cell_rows(options);
  benchmarks::add_reference_rows(options);
  benchmarks::add_size_rows(options);
  benchmark::ConsoleReporter reporter(benchmark::ConsoleReporter::OO_Tabular);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return benchmarks::a_row_failed() ? 1 : 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
