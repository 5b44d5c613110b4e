"""A C++ program builds against the library in both ways that consumers have, and runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONSUMER = ROOT / "tests" / "embed"


def cmake(*arguments: object) -> None:
    tool = shutil.which("cmake")
    assert tool, "cmake is a prerequisite of the tests"
    command = [tool, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def build(source: Path, into: Path, *options: str) -> None:
    cmake("-S", source, "-B", into, "-DCMAKE_BUILD_TYPE=Release", *options)
    cmake("--build", into, "--parallel", "2")


def run(program: Path) -> str:
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("library")
    build(ROOT, place / "build", "-DBUILD_SHARED_LIBS=OFF")
    cmake("--install", place / "build", "--prefix", place / "prefix")
    return place / "prefix"


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
