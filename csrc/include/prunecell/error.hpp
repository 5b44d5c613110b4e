// Every exception of this library's own. The message says what was expected, what came, and which
// tensor or parameter it concerns; a call that throws has changed nothing (but see RebuildJob::mask_is_new). Where
// memory runs out std::bad_alloc comes through, and what a call had written until then stays.
#pragma once

#include <stdexcept>

namespace prunecell {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A value, size, data type or layout that the operation does not accept.
struct InvalidArgument : Error {
  using Error::Error;
};

/// No level of the delta grid prunes as many weights as the threshold asks for.
struct UnreachableThreshold : Error {
  using Error::Error;
};

/// A call that the object's state does not allow, e.g. propagate before initialize.
struct WrongState : Error {
  using Error::Error;
};

/// The operation was requested on a device that this build or this machine does not offer.
struct DeviceUnavailable : Error {
  using Error::Error;
};

/// A device that is there failed: out of memory, or a fault of an earlier kernel on it.
struct DeviceError : Error {
  using Error::Error;
};

/// A file whose content is not what its format requires.
struct BadFile : Error {
  using Error::Error;
};

}  // namespace prunecell
