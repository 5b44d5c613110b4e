#include "array.hpp"
#include "bind.hpp"
#include "errors.hpp"

#include <prunecell/mask.hpp>

#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <pybind11/stl.h>

namespace prunecell::python {
namespace {

/// "cpu", "cuda:0".
std::string device_name(Device device) {
  return device.kind == Device::Kind::cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

/// From "cpu", "cuda" or "cuda:1".
Device parse_device(const std::string& given) {
  if (given == "cpu") return {};
  if (given == "cuda") return {Device::Kind::cuda, 0};
  const std::string prefix = "cuda:";
  Device device{Device::Kind::cuda, -1};
  if (given.starts_with(prefix))
    std::from_chars(given.data() + prefix.size(), given.data() + given.size(), device.index);
  if (device_name(device) != given || device.index < 0)
    throw InvalidArgument("device: expected 'cpu', 'cuda' or 'cuda:N', got '" + given + "'");
  return device;
}

/// The mask itself where it is on the CPU, else a copy there.
class OnCpu {
 public:
  explicit OnCpu(const Mask& mask) : mask_(&mask) {
    if (mask.device() == Device{}) return;
    copy_.emplace(mask.to({}));
    mask_ = &*copy_;
  }
  const Mask* operator->() const { return mask_; }

 private:
  std::optional<Mask> copy_;
  const Mask* mask_;
};

py::array_t<bool> to_bool(const Mask& mask) {
  py::array_t<bool> out(mask.shape());
  bool* bits = out.mutable_data();
  py::gil_scoped_release nogil;
  const OnCpu read(mask);
  for (std::int64_t i = 0; i < mask.size(); ++i) bits[i] = read->kept(i);
  return out;
}

Mask from_bool(const py::object& object) {
  const py::array given = py::array::ensure(object);
  if (!given || given.dtype().kind() != 'b')
    throw InvalidType("kept: expected an array of bool, got " + std::string(py::str(py::type::of(object))));
  const auto kept = given.cast<py::array_t<bool, py::array::c_style>>();
  Mask mask(Shape(kept.shape(), kept.shape() + kept.ndim()));
  const bool* bits = kept.data();
  std::uint32_t* words = mask.view().words;
  py::gil_scoped_release nogil;
  for (std::int64_t i = 0; i < mask.size(); ++i)
    if (!bits[i]) words[i / 32] &= ~(1u << (i % 32));
  return mask;
}

py::array_t<std::uint8_t> saved(const Mask& mask) { return saved_rows(mask.saved(), mask.shape()); }

Mask from_saved(const py::array_t<std::uint8_t, py::array::c_style>& rows, const Shape& shape) {
  return Mask::from_saved(shape, {reinterpret_cast<const std::byte*>(rows.data()), std::size_t(rows.nbytes())});
}

}  // namespace

void bind_mask(py::module_& module) {
  const auto packed = [](const Mask& mask) {
    if (mask.device() != Device{})
      throw WrongState("packed: the bits lie on " + device_name(mask.device()) + "; copy the mask with to('cpu')");
    using Words = std::shared_ptr<const std::uint32_t[]>;
    auto held = std::make_unique<Words>(mask.words());  // and not the mask, which may move to a device
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(held->get());
    const py::capsule owner(held.release(), [](void* words) { delete static_cast<Words*>(words); });
    py::array_t<std::uint8_t> view((mask.size() + 7) / 8, bytes, owner);
    view.attr("flags").attr("writeable") = false;
    return view;
  };
  py::class_<Mask>(module, "Mask", "One bit per weight: 1 is kept, 0 is pruned.")
      .def(
          py::init([](Shape shape, const std::string& device) { return Mask(std::move(shape), parse_device(device)); }),
          py::arg("shape"), py::arg("device") = "cpu", "A mask of this shape that keeps every weight.")
      .def_property_readonly(
          "device", [](const Mask& mask) { return device_name(mask.device()); }, "\"cpu\" or \"cuda:N\".")
      .def(
          "to", [](const Mask& mask, const std::string& device) { return mask.to(parse_device(device)); },
          py::arg("device"), "A copy on a device.")
      .def(
          "move", [](Mask& mask, const std::string& device) { mask.move(parse_device(device)); }, py::arg("device"),
          "Moves the bits to a device; nothing where they lie there. Earlier views of `packed` keep what they show.")
      .def("assign", &Mask::assign_bits, py::arg("other"), py::call_guard<py::gil_scoped_release>(),
           "Takes the bits of another mask of this size, on whatever device.")
      .def_static("from_array", &from_bool, py::arg("kept"), "A mask from an array of bool, True where kept.")
      .def_static("from_saved", &from_saved, py::arg("rows"), py::arg("shape"), "The reverse of saved().")
      .def_static(
          "saved_layout",
          [](const Shape& shape) {
            const auto [rows, columns, bytes] = Mask::saved_rows(shape);
            return py::make_tuple(rows, columns, bytes);
          },
          py::arg("shape"), "Rows, columns, and bytes of a row in the saved form of a mask of this shape.")
      .def("saved", &saved, "Copy in the saved form: uint8[rows, ceil(columns / 8)], little bit order.")
      .def(
          "copy", [](const Mask& mask) { return Mask(mask); }, "A mask with bits of its own.")
      .def_property_readonly("shape", [](const Mask& mask) { return shape_tuple(mask.shape()); })
      .def_property_readonly("size", &Mask::size)
      .def_property_readonly("zeros", &Mask::zeros, "Number of pruned weights, counted now.")
      .def_property_readonly("packed", packed,
                             "Read-only view of the bits: uint8[ceil(size / 8)], little bit order, no copy.")
      .def("to_array", &to_bool, "The mask as a new array of bool, True where kept.")
      .def(
          "__array__",
          [](const Mask& mask, const py::object& dtype, const py::object& copy) -> py::object {
            if (!copy.is_none() && !copy.cast<bool>())
              throw InvalidArgument("copy=False: a mask holds bits; read `packed` for a view");
            const py::array_t<bool> out = to_bool(mask);
            return dtype.is_none() ? py::object(out) : out.attr("astype")(dtype, py::arg("copy") = false);
          },
          py::arg("dtype") = py::none(), py::arg("copy") = py::none())
      .def("__len__", [](const Mask& mask) { return mask.shape().empty() ? 0 : mask.shape().front(); })
      .def("__eq__",
           [](const Mask& a, const py::object& other) -> py::object {
             if (!py::isinstance<Mask>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
             const auto& b = other.cast<const Mask&>();
             if (a.shape() != b.shape()) return py::bool_(false);
             const OnCpu left(a), right(b);
             return py::bool_(
                 std::memcmp(left->view().words, right->view().words, std::size_t(word_count(a.size())) * 4) == 0);
           })
      .def("__repr__",
           [](const Mask& mask) {
             return py::str("Mask(shape={}, zeros={} of {})")
                 .format(shape_tuple(mask.shape()), mask.zeros(), mask.size());
           })
      .def(py::pickle([](const Mask& mask) { return py::make_tuple(saved(mask), mask.shape()); },
                      [](const py::tuple& state) {
                        return from_saved(state[0].cast<py::array_t<std::uint8_t, py::array::c_style>>(),
                                          state[1].cast<Shape>());
                      }))
      .attr("__hash__") = py::none();
}

}  // namespace prunecell::python
