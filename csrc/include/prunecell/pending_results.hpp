// The results of one operation for a caller that does not wait for them. On a CUDA device they stay there until they
// are asked for:
//
//   PendingResults pending;
//   rebuild_and_apply({.device = {Device::Kind::cuda, 0}, .stream = stream, .pending = &pending}, jobs, {});
//   ...                       more work for the device, the host runs on
//   pending.wait()[0].zeros   waits for the stream
//
// A captured operation writes its results anew each time its graph runs, so they must outlive the graph.
#pragma once

#include <prunecell/ops.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace prunecell {

class PendingResults {
 public:
  PendingResults();
  PendingResults(PendingResults&&) noexcept;
  PendingResults& operator=(PendingResults&&) noexcept;
  ~PendingResults();

  /// Takes memory for so many results now. Before an operation is captured: a stream under capture has none to give.
  void reserve(Device device, std::size_t results);

  /// The results of the last operation, one per job. Waits for its stream, which must still be there. Throws what the
  /// operation could not: UnreachableThreshold, InvalidArgument for values that do not fit their mask; DeviceError.
  std::vector<Result> wait() const;

 private:
  friend struct PendingResultsAccess;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace prunecell
