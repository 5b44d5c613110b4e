"""Hardening by the linker, read from the libraries of the installed package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import prunecell
import pytest
from prunecell import _core

EXTENSION = Path(_core.__file__ or "")
PLUGIN = Path(prunecell.__file__).parent / "libprunecell_cuda.so"


def read(library: Path, what: str) -> str:
    if not library.exists():
        pytest.skip("the package was built without nvcc")
    tool = shutil.which("readelf")
    if tool is None or library.suffix != ".so":
        pytest.skip("no ELF file, or no readelf")
    command = [tool, "--wide", what, str(library)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("library", [EXTENSION, PLUGIN], ids=lambda path: path.stem)
def test_addresses_are_bound_at_once_and_then_read_only(library: Path) -> None:
    dynamic = read(library, "--dynamic")
    assert "BIND_NOW" in dynamic or "NOW" in dynamic.split("FLAGS_1", 1)[-1].split("\n")[0]
    assert "TEXTREL" not in dynamic
    assert "GNU_RELRO" in read(library, "--program-headers")


@pytest.mark.parametrize("library", [EXTENSION, PLUGIN], ids=lambda path: path.stem)
def test_no_memory_is_writable_and_executable(library: Path) -> None:
    segments = read(library, "--program-headers").splitlines()
    (stack,) = (line for line in segments if "GNU_STACK" in line)
    assert stack.split()[-2] == "RW"
    loaded = [line for line in segments if line.split()[:1] == ["LOAD"]]
    assert loaded
    assert [line for line in loaded if "RWE" in line] == []


@pytest.mark.parametrize("library", [EXTENSION, PLUGIN], ids=lambda path: path.stem)
def test_the_stack_is_protected(library: Path) -> None:
    assert "__stack_chk_fail" in read(library, "--dyn-syms")


@pytest.mark.parametrize("library", [EXTENSION, PLUGIN], ids=lambda path: path.stem)
def test_its_own_names_are_bound_to_itself(library: Path) -> None:
    assert "SYMBOLIC" in read(library, "--dynamic")
    # Inline variables belong to the process, by the rules of C++.
    unique = {
        line.split()[-1] for line in read(library, "--dyn-syms").splitlines() if "UNIQUE" in line
    }
    looked_up = [
        line.split()[4] for line in read(library, "--relocs").splitlines() if "_ZN9pr" in line
    ]
    assert set(looked_up) <= unique
