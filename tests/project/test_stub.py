"""The stub of the native module says what the running module offers."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prunecell import _core

ROOT = Path(__file__).parents[2]
STUB = ast.parse((ROOT / "python" / "prunecell" / "_core.pyi").read_text())

# Every object has these, or pybind11 adds them.
INHERITED = set(dir(object)) | {"__module__", "__weakref__", "_pybind11_conduit_v1_"}
SPECIAL = {"__init__", "__eq__", "__hash__"}


def declared(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    names: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = node
    return names


MODULE = declared(STUB.body)
CLASSES = {name: node for name, node in MODULE.items() if isinstance(node, ast.ClassDef)}
FUNCTIONS = [name for name, node in MODULE.items() if isinstance(node, ast.FunctionDef)]
EXCEPTIONS = [name for name in CLASSES if issubclass(getattr(_core, name), Exception)]
NATIVE = [name for name in CLASSES if name not in EXCEPTIONS]


def signature(node: ast.FunctionDef) -> list[tuple[str, str, bool]]:
    """Name, kind and whether there is a default, of each parameter but self."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    required = len(positional) - len(given.defaults)
    found = []
    for number, argument in enumerate(positional):
        kind = "by position" if argument in given.posonlyargs else "by either"
        found.append((argument.arg, kind, number >= required))
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found.append((argument.arg, "by name", default is not None))
    return [entry for entry in found if entry[0] != "self"]


def running_signature(function: Any) -> list[tuple[str, str, bool]]:
    """The parameters, from the first line of the docstring that pybind11 writes."""
    line = function.__doc__.splitlines()[0]
    node = ast.parse(f"def {line}: ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    return signature(node)


def assert_alike(node: ast.stmt, function: Any) -> None:
    assert isinstance(node, ast.FunctionDef)
    stub, running = signature(node), running_signature(function)
    unnamed = [name.startswith("arg") for name, _, _ in running]
    if any(unnamed):  # operators: pybind11 numbers arguments that only the interpreter passes
        assert len(stub) == len(running)
        assert all(kind == "by position" for _, kind, _ in stub)
    else:
        assert stub == running


def test_names_of_the_module() -> None:
    running = {name for name in vars(_core) if not name.startswith("__")} | {"__version__"}
    assert set(MODULE) == running


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    assert_alike(MODULE[name], getattr(_core, name))


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions(name: str) -> None:
    bases = [ast.unparse(base) for base in CLASSES[name].bases]
    assert bases == [base.__name__ for base in getattr(_core, name).__bases__]
    assert getattr(_core, name).__doc__


@pytest.mark.parametrize("name", NATIVE)
def test_classes(name: str) -> None:
    running = getattr(_core, name)
    stub = declared(CLASSES[name].body)
    own = {m for m in vars(running) if m not in INHERITED or m in SPECIAL}
    if not inspect.ismethoddescriptor(vars(running)["__init__"]):
        own |= {m for m in ("__getstate__", "__setstate__") if m in vars(running)}
    if "__init__" not in stub:  # results: Python code gets them, and cannot make one
        with pytest.raises(TypeError, match="No constructor defined"):
            running()
        own -= {"__init__"}
    assert set(stub) - {"__getstate__"} == own - {"__getstate__"}
    for member, node in stub.items():
        value = vars(running)[member]
        if isinstance(node, ast.AnnAssign):
            assert value is None or "static_property" in type(value).__name__
        elif any(ast.unparse(d) == "property" for d in getattr(node, "decorator_list", [])):
            assert isinstance(value, property)
            assert value.fset is None
        else:
            assert_alike(node, getattr(running, member))


def test_everything_of_a_level_search_is_documented() -> None:
    assert "Raises:" in (_core.LevelSearch.__doc__ or "")
    for name, member in vars(_core.LevelSearch).items():
        if not name.startswith("_") and "static_property" not in type(member).__name__:
            text = [line for line in member.__doc__.splitlines() if "self:" not in line]
            assert len("".join(text)) > 20, name


def test_mypy_accepts_the_package() -> None:
    pytest.importorskip("torch", reason="the adapter is checked against the real torch")
    if int(np.__version__.split(".")[0]) < 2:
        pytest.skip("the types of older numpys are less known")
    mypy = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml"]
    done = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
