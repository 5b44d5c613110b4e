#include "errors.hpp"

#include <exception>
#include <string>

namespace prunecell::python {
namespace {

namespace py = pybind11;

/// Owned references, alive as long as the interpreter.
struct Classes {
  PyObject *base, *invalid_argument, *invalid_type, *unreachable, *wrong_state, *device_unavailable, *device_error,
      *bad_file;
};
Classes classes;

PyObject* add(py::module_& module, const char* name, const char* doc, const py::object& bases) {
  const std::string qualified = std::string("prunecell.") + name;
  PyObject* made = PyErr_NewExceptionWithDoc(qualified.c_str(), doc, bases.ptr(), nullptr);
  if (!made) throw py::error_already_set();
  module.attr(name) = py::handle(made);
  return made;
}

void translate(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const InvalidType& error) {
    PyErr_SetString(classes.invalid_type, error.what());
  } catch (const InvalidArgument& error) {
    PyErr_SetString(classes.invalid_argument, error.what());
  } catch (const UnreachableThreshold& error) {
    PyErr_SetString(classes.unreachable, error.what());
  } catch (const WrongState& error) {
    PyErr_SetString(classes.wrong_state, error.what());
  } catch (const DeviceUnavailable& error) {
    PyErr_SetString(classes.device_unavailable, error.what());
  } catch (const DeviceError& error) {
    PyErr_SetString(classes.device_error, error.what());
  } catch (const BadFile& error) {
    PyErr_SetString(classes.bad_file, error.what());
  } catch (const Error& error) {
    PyErr_SetString(classes.base, error.what());
  }
}

}  // namespace

void init_errors(py::module_& module) {
  const auto with = [](PyObject* first, PyObject* second) {
    return py::make_tuple(py::handle(first), py::handle(second));
  };
  classes.base =
      add(module, "Error", "Base of all errors of prunecell.", py::handle(PyExc_Exception).cast<py::object>());
  classes.invalid_argument = add(module, "InvalidArgument", "A value, size, type or layout that is not accepted.",
                                 with(classes.base, PyExc_ValueError));
  classes.invalid_type = add(module, "InvalidType", "An argument of the wrong type or element type, or an unknown one.",
                             with(classes.invalid_argument, PyExc_TypeError));
  classes.unreachable =
      add(module, "UnreachableThreshold", "No level prunes as many weights as the threshold asks for.",
          with(classes.base, PyExc_ValueError));
  classes.wrong_state = add(module, "WrongState", "A call that the object's state does not allow.",
                            with(classes.base, PyExc_RuntimeError));
  classes.device_unavailable = add(module, "DeviceUnavailable", "The device is not offered by this build or machine.",
                                   with(classes.base, PyExc_RuntimeError));
  classes.device_error = add(module, "DeviceError", "A device failed: out of memory, or a fault of an earlier kernel.",
                             with(classes.base, PyExc_RuntimeError));
  classes.bad_file = add(module, "BadFile", "A file whose content is not what its format requires.",
                         with(classes.base, PyExc_OSError));
  py::register_exception_translator(translate);
}

}  // namespace prunecell::python
