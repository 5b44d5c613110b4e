// The part of the DLPack ABI that a consumer needs (version 1; layout published at dmlc.github.io/dlpack).
#pragma once

#include <cstdint>

namespace prunecell::dlpack {

inline constexpr std::uint32_t major_version = 1;

enum class DeviceType : std::int32_t { cpu = 1, cuda = 2, cuda_host = 3 };
enum class TypeCode : std::uint8_t { floating = 2, bfloat = 4 };

struct Device {
  DeviceType type;
  std::int32_t index;
};

struct DataType {
  TypeCode code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; before version 1.2 null for row-major tensors
  std::uint64_t byte_offset;
};

struct Version {
  std::uint32_t major, minor;
};

/// Content of a capsule "dltensor".
struct Managed {
  Tensor tensor;
  void* manager;
  void (*deleter)(Managed*);
};

/// Content of a capsule "dltensor_versioned".
struct ManagedVersioned {
  Version version;
  void* manager;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  Tensor tensor;

  static constexpr std::uint64_t read_only = 1;
};

/// Content of the capsule `__dlpack_c_exchange_api__` of a tensor type: functions that spare the capsules.
struct ExchangeApi {
  Version version;
  ExchangeApi* previous;
  void* allocate;
  int (*managed_from_object)(void* object, ManagedVersioned** out);
  void* managed_to_object;
  /// Fills `out` with a view that lives as long as the object; may be null. 0 on success.
  int (*view_from_object)(void* object, Tensor* out);
  /// The stream that the producer works on now, of a device. 0 on success.
  int (*current_work_stream)(DeviceType type, std::int32_t index, void** out);
};

}  // namespace prunecell::dlpack
