#include "array.hpp"
#include "bind.hpp"

#include <prunecell/error.hpp>
#include <prunecell/mask.hpp>
#include <prunecell/ops.hpp>

#include <algorithm>
#include <utility>

namespace prunecell::python {
namespace {

/// Called with a parameter whose gradient has just been accumulated: pruned elements of its `grad` become +0. A
/// training step calls one for each weight, between operations that leave nothing of us in the caches: hence no Python
/// in it.
class GradientHook {
 public:
  /// `owner` is a weak reference; nothing is done once it is dead. `otherwise(parameter)` masks where there is no mask
  /// yet, where the gradient can be differentiated, and where it is none that operations accept.
  GradientHook(py::weakref owner, py::function otherwise)
      : owner_(std::move(owner)), otherwise_(std::move(otherwise)) {}

  void operator()(const py::object& parameter) const {
    static PyObject* const grad = PyUnicode_InternFromString("grad");
    static PyObject* const requires_grad = PyUnicode_InternFromString("requires_grad");
    if (owner_().is_none()) return;
    const py::object gradient = parameter.attr(grad);
    if (gradient.is_none()) return;
    if (!mask_ || gradient.attr(requires_grad).ptr() != Py_False || !apply(gradient)) otherwise_(parameter);
  }

  py::weakref owner() const { return owner_; }
  void set_mask(py::object mask) {
    mask_ = mask.cast<const Mask*>();
    held_mask_ = std::move(mask);
  }

 private:
  bool apply(const py::object& gradient) const {
    try {
      const Array array = array_of(gradient, {"grad"}, Access::write);
      if (!std::ranges::equal(mask_->shape(), array.shape)) return false;
      const ApplyJob job{.weights = array.view, .mask = mask_->view()};
      const Context context = context_of({&array, 1}, 0);
      const py::gil_scoped_release nogil;
      apply_masks(context, {&job, 1}, {});
      return true;
    } catch (const Error&) {
      return false;
    } catch (const py::error_already_set& error) {  // what a framework says of a tensor that it cannot lend
      if (!error.matches(PyExc_RuntimeError)) throw;
      return false;
    }
  }

  py::weakref owner_;
  py::function otherwise_;
  py::object held_mask_ = py::none();
  const Mask* mask_ = nullptr;
};

}  // namespace

void bind_gradient_hook(py::module_& module) {
  py::class_<GradientHook>(module, "GradientHook", "Masks the gradient of a parameter when it is called with it.")
      .def(py::init<py::weakref, py::function>(), py::arg("owner"), py::arg("otherwise"))
      .def("__call__", &GradientHook::operator(), py::arg("parameter"))
      .def_property_readonly("owner", &GradientHook::owner, "A weak reference to what is attached to the parameter.")
      .def("set_mask", &GradientHook::set_mask, py::arg("mask"), "None: `otherwise` is called.");
}

}  // namespace prunecell::python
