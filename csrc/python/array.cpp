#include "array.hpp"
#include "dlpack.hpp"
#include "errors.hpp"

#include <prunecell/error.hpp>

#include <optional>
#include <vector>

namespace prunecell::python {
namespace {

/// An array as its producer describes it; strides in elements, none for row-major.
struct Description {
  void* data;
  Device device;
  std::optional<DType> dtype;  ///< none: not one of ours
  std::string dtype_name;
  Shape shape;
  std::vector<std::int64_t> strides;
  bool writable;
  std::shared_ptr<void> owner;
};

std::shared_ptr<void> keep(py::object object) {
  return {new py::object(std::move(object)), [](py::object* held) {
            py::gil_scoped_acquire gil;
            delete held;
          }};
}

std::string type_name(py::handle object) { return py::str(py::type::handle_of(object).attr("__name__")); }

std::optional<DType> float_type(std::size_t bytes) {
  switch (bytes) {
    case 2: return DType::float16;
    case 4: return DType::float32;
    case 8: return DType::float64;
    default: return std::nullopt;
  }
}

Description describe_numpy(const py::array& array, const std::string& what) {
  const py::dtype dtype = array.dtype();
  Description out{.data = const_cast<void*>(array.data()),
                  .device = {},
                  .dtype = std::nullopt,
                  .dtype_name = py::str(dtype.attr("name")),
                  .shape = {array.shape(), array.shape() + array.ndim()},
                  .strides = {},
                  .writable = array.writeable(),
                  .owner = keep(array)};
  if (!dtype.attr("isnative").cast<bool>())
    throw InvalidArgument(what + ": expected the native byte order, got dtype " + out.dtype_name +
                          " in the other one; convert it with astype");
  if (!(array.flags() & py::array::c_style))
    throw InvalidArgument(what + ": expected a C-contiguous array, got strides " +
                          std::string(py::str(array.attr("strides"))) + "; copy it with numpy.ascontiguousarray");
  if (dtype.kind() == 'f')
    out.dtype = float_type(std::size_t(dtype.itemsize()));
  else if (out.dtype_name == "bfloat16")
    out.dtype = DType::bfloat16;
  return out;
}

Description describe_dlpack(const dlpack::Tensor& tensor, bool writable, std::shared_ptr<void> owner,
                            const std::string& what) {
  Description out{.data = static_cast<std::byte*>(tensor.data) + tensor.byte_offset,
                  .device = {},
                  .dtype = std::nullopt,
                  .dtype_name = "with " + std::to_string(tensor.dtype.bits) + " bits of DLPack type code " +
                                std::to_string(int(tensor.dtype.code)),
                  .shape = {tensor.shape, tensor.shape + tensor.ndim},
                  .strides = {},
                  .writable = writable,
                  .owner = std::move(owner)};
  if (tensor.strides) out.strides.assign(tensor.strides, tensor.strides + tensor.ndim);
  switch (tensor.device.type) {
    case dlpack::DeviceType::cpu:
    case dlpack::DeviceType::cuda_host: break;
    case dlpack::DeviceType::cuda: out.device = {Device::Kind::cuda, tensor.device.index}; break;
    default:
      throw DeviceUnavailable(what + ": expected memory of the CPU or of a CUDA device, got DLPack device type " +
                              std::to_string(int(tensor.device.type)));
  }
  if (tensor.dtype.lanes != 1) return out;
  if (tensor.dtype.code == dlpack::TypeCode::floating) out.dtype = float_type(tensor.dtype.bits / 8u);
  if (tensor.dtype.code == dlpack::TypeCode::bfloat && tensor.dtype.bits == 16) out.dtype = DType::bfloat16;
  return out;
}

template <class ManagedTensor>
std::shared_ptr<void> take(ManagedTensor* managed) {
  return {managed, [](ManagedTensor* held) {
            py::gil_scoped_acquire gil;
            if (held->deleter) held->deleter(held);
          }};
}

/// The fast road: tens of nanoseconds instead of microseconds for a capsule. Nothing where the type lacks it.
std::optional<Description> describe_exchange(py::handle object, const std::string& what) {
  const py::object api_capsule = py::getattr(py::type::handle_of(object), "__dlpack_c_exchange_api__", py::none());
  if (api_capsule.is_none()) return std::nullopt;
  auto* api = static_cast<dlpack::ExchangeApi*>(PyCapsule_GetPointer(api_capsule.ptr(), "dlpack_exchange_api"));
  if (!api) throw py::error_already_set();
  while (api && api->version.major != dlpack::major_version) api = api->previous;
  if (!api || !api->view_from_object) return std::nullopt;
  dlpack::Tensor tensor;
  if (api->view_from_object(object.ptr(), &tensor) != 0) throw py::error_already_set();
  return describe_dlpack(tensor, true, keep(py::reinterpret_borrow<py::object>(object)), what);
}

Description describe_capsule(py::handle object, const std::string& what) {
  py::object capsule;
  try {
    capsule = object.attr("__dlpack__")(py::arg("max_version") = py::make_tuple(1, 1));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    capsule = object.attr("__dlpack__")();  // a producer from before version 1
  }
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto* managed = static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    auto owner = take(managed);
    if (managed->version.major != dlpack::major_version)
      throw InvalidArgument(what + ": expected DLPack version 1, got " + std::to_string(managed->version.major));
    const bool writable = !(managed->flags & dlpack::ManagedVersioned::read_only);
    return describe_dlpack(managed->tensor, writable, std::move(owner), what);
  }
  auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!managed) throw py::error_already_set();
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  auto owner = take(managed);
  return describe_dlpack(managed->tensor, true, std::move(owner), what);
}

Description describe(py::handle object, const std::string& what) {
  if (py::isinstance<py::array>(object)) return describe_numpy(py::reinterpret_borrow<py::array>(object), what);
  if (auto found = describe_exchange(object, what)) return std::move(*found);
  if (py::hasattr(object, "__dlpack__")) return describe_capsule(object, what);
  throw InvalidType(what + ": expected a numpy array or an object with __dlpack__, got " + type_name(object));
}

/// Row-major strides from `begin` to `end`, times `scale`; extents of 1 may have any stride.
bool packed(const Description& array, std::size_t begin, std::size_t end, std::int64_t scale) {
  for (std::size_t d = end; d-- > begin; scale *= array.shape[d])
    if (array.shape[d] != 1 && array.strides[d] != scale) return false;
  return true;
}

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t out = 1;
  for (std::size_t d = begin; d < end; ++d) out *= shape[d];
  return out;
}

/// The layout of dense memory in row-major or channels-last order (images, channels, positions), nothing else.
std::optional<Layout> layout_of(const Description& array) {
  const std::size_t dims = array.shape.size();
  if (array.strides.empty() || element_count(array.shape) <= 1 || packed(array, 0, dims, 1)) return Layout{};
  for (std::size_t first = 0; first < dims; ++first)
    for (std::size_t last = first + 1; last < dims; ++last) {
      const std::int64_t channels = product(array.shape, first, last), positions = product(array.shape, last, dims);
      if (packed(array, 0, first, channels * positions) && packed(array, first, last, 1) &&
          packed(array, last, dims, channels))
        return Layout{channels, positions};
    }
  return std::nullopt;
}

void check_writable(const Description& array, const std::string& what) {
  if (!array.writable) throw InvalidArgument(what + ": expected writable memory, got a read-only array");
}

}  // namespace

Array array_of(py::handle object, const std::string& what, Access access) {
  Description array = describe(object, what);
  if (!array.dtype)
    throw InvalidType(what + ": expected dtype float16, bfloat16, float32 or float64, got " + array.dtype_name);
  if (access == Access::write) check_writable(array, what);
  const std::optional<Layout> layout = layout_of(array);
  if (!layout)
    throw InvalidArgument(what + ": expected dense memory in row-major or channels-last order; make it contiguous");
  const std::int64_t size = element_count(array.shape);
  return {{array.data, size, *array.dtype, *layout, array.device}, std::move(array.shape), std::move(array.owner)};
}

Array optional_array_of(py::handle object, const std::string& what, Access access) {
  if (object.is_none()) return {};
  return array_of(object, what, access);
}

}  // namespace prunecell::python
