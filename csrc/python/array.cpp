#include "array.hpp"
#include "dlpack.hpp"
#include "errors.hpp"

#include <prunecell/cuda.hpp>
#include <prunecell/error.hpp>
#include <prunecell/mask.hpp>

#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace prunecell::python {
namespace {

/// An array as its producer describes it; strides in elements, none for row-major.
struct Description {
  void* data;
  Device device;
  DType dtype;
  std::span<const std::int64_t> shape, strides;
  bool writable;
  py::object owner;
  void* stream = nullptr;
};

std::string type_name(py::handle object) { return py::str(py::type::handle_of(object).attr("__name__")); }

[[noreturn]] void refuse_dtype(const ArgumentName& name, const std::string& got) {
  throw InvalidType(std::string(name) + ": expected dtype float16, bfloat16, float32 or float64, got " + got);
}

std::optional<DType> float_type(std::size_t bytes) {
  switch (bytes) {
    case 2: return DType::float16;
    case 4: return DType::float32;
    case 8: return DType::float64;
    default: return std::nullopt;
  }
}

DType numpy_dtype(const py::dtype& dtype, const ArgumentName& name) {
  const char order = dtype.byteorder();
  const auto words = [&] { return std::string(py::str(dtype.attr("name"))); };
  if (order != '=' && order != '|')
    throw InvalidArgument(std::string(name) + ": expected the native byte order, got dtype " + words() +
                          " in the other one; convert it with astype");
  if (dtype.kind() == 'f')
    if (const auto known = float_type(std::size_t(dtype.itemsize()))) return *known;
  const std::string got = words();
  if (got != "bfloat16") refuse_dtype(name, got);
  return DType::bfloat16;
}

Description describe_numpy(const py::array& array, const ArgumentName& name) {
  static_assert(sizeof(py::ssize_t) == sizeof(std::int64_t));
  const DType dtype = numpy_dtype(array.dtype(), name);
  if (!(array.flags() & py::array::c_style))
    throw InvalidArgument(std::string(name) + ": expected a C-contiguous array, got strides " +
                          std::string(py::str(array.attr("strides"))) + "; copy it with numpy.ascontiguousarray");
  return {.data = const_cast<void*>(array.data()),
          .device = {},
          .dtype = dtype,
          .shape = {reinterpret_cast<const std::int64_t*>(array.shape()), std::size_t(array.ndim())},
          .strides = {},
          .writable = array.writeable(),
          .owner = array};
}

DType dlpack_dtype(const dlpack::DataType& dtype, const ArgumentName& name) {
  const auto [code, bits, lanes] = dtype;
  if (lanes == 1 && code == dlpack::TypeCode::floating)
    if (const auto known = float_type(bits / 8u)) return *known;
  if (lanes == 1 && code == dlpack::TypeCode::bfloat && bits == 16) return DType::bfloat16;
  refuse_dtype(name, "with " + std::to_string(bits) + " bits of DLPack type code " + std::to_string(int(code)));
}

Description describe_dlpack(const dlpack::Tensor& tensor, bool writable, py::object owner, const ArgumentName& name) {
  const auto dims = std::size_t(tensor.ndim);
  Description out{.data = static_cast<std::byte*>(tensor.data) + tensor.byte_offset,
                  .device = {},
                  .dtype = dlpack_dtype(tensor.dtype, name),
                  .shape = {tensor.shape, dims},
                  .strides = {tensor.strides, tensor.strides ? dims : 0},
                  .writable = writable,
                  .owner = std::move(owner)};
  switch (tensor.device.type) {
    case dlpack::DeviceType::cpu:
    case dlpack::DeviceType::cuda_host: break;
    case dlpack::DeviceType::cuda: out.device = {Device::Kind::cuda, tensor.device.index}; break;
    default:
      throw DeviceUnavailable(std::string(name) + ": expected memory of the CPU or of a CUDA device, got DLPack " +
                              "device type " + std::to_string(int(tensor.device.type)));
  }
  return out;
}

/// The fast road: tens of nanoseconds instead of microseconds for a capsule. Nothing where the type lacks it.
std::optional<Description> describe_exchange(py::handle object, const ArgumentName& name) {
  static PyObject* const attribute = PyUnicode_InternFromString("__dlpack_c_exchange_api__");
  const py::object api_capsule = py::getattr(py::type::handle_of(object), attribute, py::none());
  if (api_capsule.is_none()) return std::nullopt;
  auto* api = static_cast<dlpack::ExchangeApi*>(PyCapsule_GetPointer(api_capsule.ptr(), "dlpack_exchange_api"));
  if (!api) throw py::error_already_set();
  while (api && api->version.major != dlpack::major_version) api = api->previous;
  if (!api || !api->view_from_object) return std::nullopt;
  dlpack::Tensor tensor;
  if (api->view_from_object(object.ptr(), &tensor) != 0) throw py::error_already_set();
  Description out = describe_dlpack(tensor, true, py::reinterpret_borrow<py::object>(object), name);
  if (out.device.kind == Device::Kind::cuda && api->current_work_stream &&
      api->current_work_stream(tensor.device.type, tensor.device.index, &out.stream) != 0)
    throw py::error_already_set();
  return out;
}

/// CUDA devices are asked to be ready on the default stream, where the operation will run.
py::object capsule_of(py::handle given) {
  // A torch tensor that learns refuses a capsule; the same memory without its history does not.
  const bool learns = py::getattr(given, "requires_grad", py::none()).is(py::bool_(true));
  const py::object object = learns ? py::object(given.attr("detach")()) : py::reinterpret_borrow<py::object>(given);
  constexpr int default_stream = 1;  // as DLPack and __cuda_array_interface__ number it
  py::dict arguments;
  if (py::hasattr(object, "__dlpack_device__")) {
    const auto device = object.attr("__dlpack_device__")().cast<std::pair<int, int>>();
    if (device.first == int(dlpack::DeviceType::cuda)) arguments["stream"] = default_stream;
  }
  try {
    return object.attr("__dlpack__")(**arguments, py::arg("max_version") = py::make_tuple(1, 1));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    return object.attr("__dlpack__")(**arguments);  // a producer from before version 1
  }
}

/// What a producer refuses with, Python's BufferError or another, tells neither tensor nor parameter.
py::object named_capsule_of(py::handle object, const ArgumentName& name) try {
  return capsule_of(object);
} catch (const py::error_already_set& error) {
  if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
  throw InvalidArgument(std::string(name) + ": expected memory that __dlpack__ gives out, got " +
                        std::string(py::str("{}: {}").format(error.type().attr("__name__"), error.value())));
}

/// The capsule stays the owner: it is not renamed to used_..., so that its destructor gives the memory back.
Description describe_capsule(py::handle object, const ArgumentName& name) {
  py::object capsule = named_capsule_of(object, name);
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto* managed = static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (managed->version.major != dlpack::major_version)
      throw InvalidArgument(std::string(name) + ": expected DLPack version 1, got " +
                            std::to_string(managed->version.major));
    const bool writable = !(managed->flags & dlpack::ManagedVersioned::read_only);
    return describe_dlpack(managed->tensor, writable, std::move(capsule), name);
  }
  auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!managed) throw py::error_already_set();
  return describe_dlpack(managed->tensor, true, std::move(capsule), name);
}

/// Shape and strides that a producer gives as tuples; owns them for the view.
struct Extents {
  std::vector<std::int64_t> shape, strides;
  py::object array;
};

/// Version 2 and later. bfloat16 has no word in it: such arrays come by DLPack.
Description describe_cuda(py::handle object, const ArgumentName& name) {
  const py::dict interface = object.attr("__cuda_array_interface__");
  const auto type = interface["typestr"].cast<std::string>();
  const auto dtype =
      type.size() == 3 && type[0] == '<' && type[1] == 'f' ? float_type(std::size_t(type[2] - '0')) : std::nullopt;
  if (!dtype) refuse_dtype(name, type);
  const auto [address, read_only] = interface["data"].cast<std::pair<std::uintptr_t, bool>>();
  auto extents = std::make_unique<Extents>();
  extents->shape = interface["shape"].cast<std::vector<std::int64_t>>();
  extents->array = py::reinterpret_borrow<py::object>(object);
  if (interface.contains("strides") && !interface["strides"].is_none())
    for (const std::int64_t bytes : interface["strides"].cast<std::vector<std::int64_t>>())
      extents->strides.push_back(bytes / std::int64_t(item_size(*dtype)));
  Description out{.data = reinterpret_cast<void*>(address),
                  .device = {Device::Kind::cuda, 0},
                  .dtype = *dtype,
                  .shape = extents->shape,
                  .strides = extents->strides,
                  .writable = !read_only,
                  .owner = {}};
  if (out.data) out.device.index = cuda::device_of(out.data);
  if (interface.contains("stream") && !interface["stream"].is_none())
    out.stream = reinterpret_cast<void*>(interface["stream"].cast<std::uintptr_t>());
  out.owner = py::capsule(extents.release(), [](void* held) { delete static_cast<Extents*>(held); });
  return out;
}

Description describe(py::handle object, const ArgumentName& name) {
  if (py::isinstance<py::array>(object)) return describe_numpy(py::reinterpret_borrow<py::array>(object), name);
  if (auto found = describe_exchange(object, name)) return std::move(*found);
  if (py::hasattr(object, "__cuda_array_interface__")) return describe_cuda(object, name);
  if (py::hasattr(object, "__dlpack__")) return describe_capsule(object, name);
  throw InvalidType(std::string(name) + ": expected a numpy array or an object with __dlpack__, got " +
                    type_name(object));
}

/// Row-major strides from `begin` to `end`, times `scale`; extents of 1 may have any stride.
bool packed(const Description& array, std::size_t begin, std::size_t end, std::int64_t scale) {
  for (std::size_t d = end; d-- > begin; scale *= array.shape[d])
    if (array.shape[d] != 1 && array.strides[d] != scale) return false;
  return true;
}

std::int64_t product(std::span<const std::int64_t> shape, std::size_t begin, std::size_t end) {
  std::int64_t out = 1;
  for (std::size_t d = begin; d < end; ++d) out *= shape[d];
  return out;
}

/// The layout of dense memory of `size` elements in row-major or channels-last order (images, channels, positions),
/// nothing else.
std::optional<Layout> layout_of(const Description& array, std::int64_t size) {
  const std::size_t dims = array.shape.size();
  if (array.strides.empty() || size <= 1 || packed(array, 0, dims, 1)) return Layout{};
  for (std::size_t first = 0; first < dims; ++first)
    for (std::size_t last = first + 1; last < dims; ++last) {
      const std::int64_t channels = product(array.shape, first, last), positions = product(array.shape, last, dims);
      if (packed(array, 0, first, channels * positions) && packed(array, first, last, 1) &&
          packed(array, last, dims, channels))
        return Layout{channels, positions};
    }
  return std::nullopt;
}

}  // namespace

Array array_of(py::handle object, const ArgumentName& name, Access access) {
  Description array = describe(object, name);
  if (access == Access::write && !array.writable)
    throw InvalidArgument(std::string(name) + ": expected writable memory, got a read-only array");
  const std::int64_t size = product(array.shape, 0, array.shape.size());
  if (size > 0 && !array.data)
    throw InvalidArgument(std::string(name) + ": expected memory, got " + std::to_string(size) +
                          " elements without any, as of a tensor whose storage was given back");
  const std::optional<Layout> layout = layout_of(array, size);
  if (!layout)
    throw InvalidArgument(std::string(name) +
                          ": expected dense memory in row-major or channels-last order; make it contiguous");
  return {{array.data, size, array.dtype, *layout, array.device}, array.shape, std::move(array.owner), array.stream};
}

Array optional_array_of(py::handle object, const ArgumentName& name, Access access) {
  if (object.is_none()) return {};
  return array_of(object, name, access);
}

Context context_of(std::span<const Array> arrays, int threads) {
  Context context{.threads = threads};
  const auto first = std::ranges::find_if(arrays, [](const Array& array) { return bool(array.owner); });
  if (first == arrays.end()) return context;
  context.device = first->view.device;
  context.stream = first->stream;
  return context;
}

py::array_t<std::uint8_t> saved_rows(std::span<const std::byte> bytes, const Shape& shape) {
  const auto [rows, columns, row_bytes] = Mask::saved_rows(shape);
  py::array_t<std::uint8_t> out({rows, row_bytes});
  std::memcpy(out.mutable_data(), bytes.data(), bytes.size());
  return out;
}

py::tuple shape_tuple(std::span<const std::int64_t> shape) {
  py::tuple out(shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) out[d] = shape[d];
  return out;
}

}  // namespace prunecell::python
