// How back ends put results into a ticket.
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
  float threshold;
  float delta;
  std::int64_t values;  ///< packing: elements of the values
};
std::vector<JobWords> words_of(std::span<const Job> jobs, std::span<const std::int64_t> values = {});

/// The results of finished jobs. Throws the error of the first that failed.
std::vector<Result> results_of(std::span<const cuda::Outcome> outcomes, std::span<const JobWords> words);

struct TicketAccess {
  /// Results that are there already.
  static void fill(Ticket& ticket, std::span<const Result> results);

  /// Device memory for the outcomes of a call, which the ticket waits for and words.
  static cuda::Outcome* expect(Ticket& ticket, const Context& context, std::vector<JobWords> words);
};

}  // namespace prunecell
