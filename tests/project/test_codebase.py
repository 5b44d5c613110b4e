"""Properties of the source tree as a whole."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import prunecell
import pytest

import tools

ROOT = Path(__file__).parents[2]
INCLUDE = ROOT / "csrc" / "include"
HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.hpp"))
# Modules that import something optional are read only where it is installed.
OPTIONAL = {"torch": "torch", "n2d2": "torch", "lab": "torch"}


def test_headers_are_where_they_are_expected() -> None:
    assert "prunecell/prune_cell.hpp" in HEADERS


@pytest.mark.parametrize("header", HEADERS)
def test_each_public_header_compiles_alone(header: str, tmp_path: Path) -> None:
    compiler = tools.prerequisite("c++", "g++")
    source = tmp_path / "alone.cpp"
    source.write_text(f"#include <{header}>\n#include <{header}>\n")
    flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wshadow"]
    command = [compiler, *flags, "-I", str(INCLUDE), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("header", HEADERS)
def test_public_headers_include_themselves_and_the_standard_library_alone(header: str) -> None:
    for name in re.findall(r"#include\s*[<\"]([^>\"]+)", (INCLUDE / header).read_text()):
        assert name.startswith("prunecell/") or ("/" not in name and "." not in name), name


def test_the_version_stands_in_one_place() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert found
    assert prunecell.__version__ == found[1]


def modules() -> list[str]:
    names = [found.name for found in pkgutil.walk_packages(prunecell.__path__, "prunecell.")]
    # Native; a program that starts when imported; a library that Python takes for a module.
    special = ("_core", "__main__", "libprunecell_cuda")
    return ["prunecell", *(name for name in names if name.rsplit(".", 1)[1] not in special)]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name: str) -> None:
    for part, needed in OPTIONAL.items():
        if part in name.split("."):
            pytest.importorskip(needed)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_examples_are_there() -> None:
    finder = doctest.DocTestFinder()
    examples = sum(len(t.examples) for t in finder.find(prunecell.ops, globs={}))
    assert examples >= 8


def test_importing_the_package_needs_numpy_only() -> None:
    code = (
        "import sys, prunecell; "
        "print(sorted({'torch', 'matplotlib', 'scipy', 'ml_dtypes'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in prunecell.__all__:
        thing = getattr(prunecell, name)
        assert name == "__version__" or thing.__doc__, name
