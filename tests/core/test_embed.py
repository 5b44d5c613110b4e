"""A C++ program builds against the library in both ways that consumers have, and runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from embedding import CONSUMER, ROOT, build, cmake, run

import tools


def test_an_installed_package_is_found_and_used(installed: Path, tmp_path: Path) -> None:
    build(CONSUMER, tmp_path, f"-DCMAKE_PREFIX_PATH={installed}")
    assert "threshold: expected a number from 0 to 1, got 1.5" in run(tmp_path / "embed")


def test_the_installation_holds_the_public_headers_and_no_others(installed: Path) -> None:
    public = ROOT / "csrc" / "include"
    ours = sorted(path.relative_to(public) for path in public.rglob("*.hpp"))
    theirs = sorted(path.relative_to(installed / "include") for path in installed.rglob("*.hpp"))
    assert theirs == ours


def test_the_source_tree_is_a_subdirectory(tmp_path: Path) -> None:
    build(CONSUMER, tmp_path, f"-DPRUNECELL_SOURCE={ROOT}")
    assert "weights pruned" in run(tmp_path / "embed")
    cmake("--install", tmp_path, "--prefix", tmp_path / "prefix")
    assert not list((tmp_path / "prefix").rglob("*prunecell*"))  # the consumer decides


@pytest.mark.parametrize(("compiler", "version"), [("GNU", "10.5.0"), ("Clang", "13.0.1")])
def test_a_compiler_that_is_too_old_is_named(tmp_path: Path, compiler: str, version: str) -> None:
    said = {"FORCED": "ON", "ID": compiler, "VERSION": version}  # instead of asking the compiler
    given = [f"-DCMAKE_CXX_COMPILER_{name}={value}" for name, value in said.items()]
    command = [tools.prerequisite("cmake"), "-S", ROOT, "-B", tmp_path, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    message = " ".join(done.stderr.split())
    assert f"needs GCC 11 or clang 14, or a later one, got {compiler} {version}" in message
