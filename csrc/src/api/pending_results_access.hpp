// How back ends hand results to PendingResults.
#pragma once

#include <prunecell/pending_results.hpp>

#include "cuda/device/outcome.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace prunecell {

/// What the words of an error need to know of a job after the call is over.
struct JobWords {
  std::string name;  ///< "tensor 'conv1'", "tensor 3"
  float threshold = 0, delta = 0;
  std::int64_t values = 0;  ///< packing: elements of the values
};

/// The results of finished jobs. Throws the error of the first that failed.
std::vector<Result> results_of(std::span<const cuda::Outcome> outcomes, std::span<const JobWords> words);

struct PendingResultsAccess {
  /// Results that are there already.
  static void fill(PendingResults& pending, std::span<const Result> results);

  /// Device memory for the outcomes of a call. wait() reads them, and words the errors.
  static cuda::Outcome* expect(PendingResults& pending, const Context& context, std::vector<JobWords> words);
};

}  // namespace prunecell
