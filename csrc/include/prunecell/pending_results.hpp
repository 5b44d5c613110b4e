// The results of one operation for a caller that does not wait for them. On a CUDA device they stay there until they
// are asked for:
//
//   Ticket ticket;
//   rebuild_and_apply({.device = {Device::Kind::cuda, 0}, .stream = stream, .ticket = &ticket}, jobs, {});
//   ...                       more work for the device, the host runs on
//   ticket.wait()[0].zeros    waits for the stream
//
// A captured operation writes its results anew each time its graph runs, so the ticket must outlive the graph.
#pragma once

#include <prunecell/ops.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace prunecell {

class Ticket {
 public:
  Ticket();
  Ticket(Ticket&&) noexcept;
  Ticket& operator=(Ticket&&) noexcept;
  ~Ticket();

  /// Takes memory for so many results now. Before an operation is captured: a stream under capture has none to give.
  void reserve(Device device, std::size_t results);

  /// The results of the last operation, one per job. Waits for its stream, which must still be there. Throws what the
  /// operation could not: UnreachableThreshold, InvalidArgument for values that do not fit their mask; DeviceError.
  std::vector<Result> wait() const;

 private:
  friend struct TicketAccess;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace prunecell
