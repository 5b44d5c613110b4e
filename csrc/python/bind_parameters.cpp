#include "bind.hpp"
#include "state.hpp"

#include <prunecell/parameters.hpp>

#include <string>

namespace prunecell::python {
namespace {

namespace py = pybind11;

struct Kind {
  template <class Value>
  const char* operator()(accepted::OneOf<Value>) const {
    return "word";
  }
  const char* operator()(accepted::Share) const { return "share"; }
  const char* operator()(accepted::Step) const { return "step"; }
  const char* operator()(accepted::Count) const { return "count"; }
  const char* operator()(accepted::Seed) const { return "seed"; }
  const char* operator()(accepted::Flag) const { return "flag"; }
};

struct Words {
  template <class Value>
  py::tuple operator()(accepted::OneOf<Value>) const {
    py::list out;
    for (const auto& word : words<Value>) out.append(word.word);
    return py::tuple(out);
  }
  py::tuple operator()(auto) const { return py::tuple(); }
};

const char* text(Since since) {
  switch (since) {
    case Since::reference: return "reference";
    case Since::format_1: return "format_1";
    case Since::later: return "later";
  }
  return "?";
}

py::object value_in(const Parameters& parameters, const ParameterRow& row) { return to_dict(parameters)[row.name]; }

}  // namespace

void bind_parameters(py::module_& module) {
  py::class_<ParameterRow>(module, "Parameter", "A parameter of a cell (parameters.hpp).")
      .def_readonly("name", &ParameterRow::name, "In Python, in errors and in saved states.")
      .def_readonly("ini_key", &ParameterRow::ini_key, "After \"QWeight.\"; empty: INI files cannot say it.")
      .def_readonly("doc", &ParameterRow::doc, "What it means, in a sentence.")
      .def_property_readonly(
          "kind", [](const ParameterRow& row) { return std::visit(Kind{}, row.accepts); },
          "word, share (0 to 1), step (> 0), count (>= 0), seed (uint64) or flag.")
      .def_property_readonly(
          "words", [](const ParameterRow& row) { return std::visit(Words{}, row.accepts); },
          "Those that a word may be; empty for other kinds.")
      .def_property_readonly(
          "since", [](const ParameterRow& row) { return text(row.since); },
          "reference (N2D2 has it), format_1 (every saved state has it) or later.")
      .def_property_readonly(
          "default", [](const ParameterRow& row) { return value_in(Parameters{}, row); }, "Of a cell.")
      .def_property_readonly(
          "operation_default", [](const ParameterRow& row) { return value_in(operation_defaults, row); },
          "Of build_mask and rebuild_and_apply, and of the command line.");
  module.def(
      "parameters",
      [] {
        py::list out;
        for (const ParameterRow& row : parameter_table) out.append(py::cast(&row, py::return_value_policy::reference));
        return out;
      },
      "The parameters of a cell, in the order of their table.");
}

}  // namespace prunecell::python
