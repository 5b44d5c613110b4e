"""Where the CUDA plugin is looked for, and which files are refused before their code runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from device_memory import SHIM_PLUGIN

import tools

ROOT = Path(__file__).parents[2]
NAME = "libprunecell_cuda.so"
MARK = "prunecell CUDA plugin, format 3, version 7.8.9"

# A program that links the library statically, goes to another folder and asks.
PROGRAM = """
#include <prunecell/cuda.hpp>
#include <prunecell/error.hpp>
#include <cstdio>
#include <unistd.h>
int main(int, char** arguments) {
  if (chdir(arguments[1]) != 0) return 2;
  for (int time = 0; time < 2; ++time) std::puts(prunecell::cuda::unavailable_reason().c_str());
  try {
    if (arguments[2]) prunecell::cuda::load_plugin(arguments[2]);
  } catch (const prunecell::Error& error) {
    std::puts(error.what());
  }
}
"""

# A library that tells when its code runs, and offers nothing.
STRANGER = """
#include <cstdio>
__attribute__((used)) static const char mark[] = MARK;
__attribute__((constructor)) static void run() { std::puts("code of a plugin ran"); }
"""
RAN = "code of a plugin ran"

# A runtime loaded for the whole process, as by PyTorch's CUDA builds, without a GPU.
RUNTIME = """
extern "C" {
int cudaGetDeviceCount(int*) { return 35; }
int cudaGetDevice(int*) { return 35; }
int cudaSetDevice(int) { return 35; }
int cudaMalloc(void**, unsigned long) { return 35; }
}
"""


def compile_text(text: str, made: Path, *flags: str | Path) -> Path:
    compiler = tools.prerequisite("c++", "g++")
    command = [compiler, "-std=c++20", "-x", "c++", "-", *flags, "-o", made]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and plugins: of its version, of another one, of none."""
    folder = tmp_path_factory.mktemp("built")
    flags = [
        '-DPRUNECELL_VERSION="7.8.9"',
        *(f"-I{ROOT / 'csrc' / folder}" for folder in ("include", "src")),
    ]
    compile_text(
        PROGRAM, folder / "ask", *flags, ROOT / "csrc/src/cuda/loader/cuda_plugin.cpp", "-ldl"
    )
    for name, mark in {"same": MARK, "other": MARK + "1", "none": ""}.items():
        compile_text(STRANGER, folder / f"{name}.so", "-shared", "-fPIC", f'-DMARK="{mark}"')
    return folder


def place(plugin: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.copy(plugin, folder / NAME)
    return folder


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    """Where the program lies."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(built / "ask", folder)
    return folder


def ask(home: Path, folder: Path, *path: str, name: str = "./ask", **environment: str) -> list[str]:
    done = subprocess.run(
        [name, folder, *path],
        executable=home / "ask",
        cwd=home,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_plugin_beside_the_program_is_loaded(built: Path, home: Path, tmp_path: Path) -> None:
    place(built / "same.so", home)
    said = ask(home, tmp_path)
    assert said[0] == RAN
    assert f"{home}/{NAME} is not one of prunecell 7.8.9" in said[1]  # it offers nothing


@pytest.mark.parametrize("name", ["./ask", "ask", "/made/up/ask", "{hostile}/ask"])
def test_the_current_folder_and_the_name_of_the_program_are_not_trusted(
    built: Path, home: Path, tmp_path: Path, name: str
) -> None:
    hostile = place(built / "same.so", tmp_path / "hostile")
    said = ask(home, hostile, name=name.format(hostile=hostile))
    assert RAN not in said
    assert f"{home}/{NAME} cannot be read" in said[0]


@pytest.mark.parametrize("searched", ["{hostile}", "", "."])
def test_the_path_of_the_loader_is_not_searched(
    built: Path, home: Path, tmp_path: Path, searched: str
) -> None:
    hostile = place(built / "same.so", tmp_path / "hostile")
    library_path = searched.format(hostile=hostile)
    assert RAN not in ask(home, hostile, NAME, LD_LIBRARY_PATH=library_path)


@pytest.mark.parametrize("which", ["other", "none"])
def test_a_plugin_of_another_version_is_refused_before_its_code_runs(
    built: Path, home: Path, tmp_path: Path, which: str
) -> None:
    place(built / f"{which}.so", home)
    said = ask(home, tmp_path, str(home / NAME))
    assert RAN not in said
    assert [line.endswith("is not one of prunecell 7.8.9") for line in said] == [True] * 3


def test_a_failure_is_remembered_and_its_reason_given_each_time(
    built: Path, home: Path, tmp_path: Path
) -> None:
    place(built / "same.so", home)
    said = ask(home, tmp_path)
    assert said.count(RAN) == 1
    assert said[1] == said[2] != ""


@pytest.mark.parametrize("path", [NAME, f"./{NAME}", ""])
def test_a_path_that_is_not_absolute_is_refused(
    built: Path, home: Path, tmp_path: Path, path: str
) -> None:
    hostile = place(built / "same.so", tmp_path / "hostile")
    said = ask(home, hostile, path)
    assert RAN not in said
    assert said[2] == f"path of the CUDA plugin: expected an absolute one, got '{path}'"


def test_the_package_does_not_load_from_the_current_folder(built: Path, tmp_path: Path) -> None:
    hostile = place(built / "same.so", tmp_path / "hostile")
    program = "import prunecell; prunecell.cuda.is_available(); print('asked', flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=hostile,
        env=os.environ | {"LD_LIBRARY_PATH": str(hostile)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "asked\n"


@pytest.mark.usefixtures("shim")
def test_the_shim_keeps_to_its_own_runtime(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("libcudart.so.13 { global: *; };")
    flags = ["-shared", "-fPIC", f"-Wl,--version-script={version}"]
    runtime = compile_text(RUNTIME, tmp_path / "libcudart.so.13", *flags)
    program = f"""
import ctypes
ctypes.CDLL({str(runtime)!r}, ctypes.RTLD_GLOBAL)
from prunecell import _core
_core.load_cuda_plugin({str(SHIM_PLUGIN)!r})
assert _core.cuda_device_count() > 0, _core.cuda_unavailable_reason()
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
