"""Building C++ programs against the library."""

from __future__ import annotations

import subprocess
from pathlib import Path

import tools

ROOT = Path(__file__).parents[2]
CONSUMER = ROOT / "tests" / "embed"


def cmake(*arguments: object) -> None:
    command = [tools.prerequisite("cmake"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def build(source: Path, into: Path, *options: str) -> None:
    cmake("-S", source, "-B", into, "-DCMAKE_BUILD_TYPE=Release", *options)
    cmake("--build", into, "--parallel", "2")


def run(program: Path) -> str:
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
