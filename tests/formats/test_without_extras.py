"""Without optional packages: calls that need them name them, all others work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from arrays import same, sparse
from prunecell.formats import load, save

BLOCKED = """
import sys
for name in {blocked}:
    sys.modules[name] = None  # its import fails
import numpy as np
from prunecell.formats import *
"""


def run(blocked: list[str], program: str, *arguments: object) -> str:
    source = BLOCKED.format(blocked=blocked) + program
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", source, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("torch", "load(sys.argv[1], framework='torch')"),
        ("torch", "to_torch_csr(np.ones((2, 2)))"),
        ("scipy", "to_scipy_csr(np.ones((2, 2)))"),
        ("onnx", "export_onnx('a', 'b')"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    package: str, call: str, tmp_path: Path
) -> None:
    save({"w": sparse("float32", (3, 4), 0)}, tmp_path / "x")
    program = f"try:\n    {call}\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert f"pip install 'prunecell[{package}]'" in run([package], program, tmp_path / "x")


def test_numpy_alone_is_enough_for_numpy_arrays(tmp_path: Path) -> None:
    program = (
        "save({'w': np.eye(64)}, sys.argv[1])\n"
        "print(load(sys.argv[1])['w'].sum(), [m for m in sys.modules if m in ('torch', 'onnx')])"
    )
    blocked = ["scipy", "ml_dtypes", "safetensors"]
    assert run(blocked, program, tmp_path / "x") == "64.0 []\n"


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e5m2"])
def test_types_that_numpy_lacks_keep_bits_and_name(dtype: str, tmp_path: Path) -> None:
    arrays = {"dense": sparse(dtype, (3, 5), 0), "packed": sparse(dtype, (64, 64), 0.97)}
    save(arrays, tmp_path / "x")
    program = (
        "arrays = load(sys.argv[1])\n"
        "save(arrays, sys.argv[2])\n"
        "print(*[(one.dtype.names, one[one.dtype.names[0]].dtype) for one in arrays.values()])"
    )
    bits = f"uint{8 * arrays['dense'].itemsize}"
    said = run(["ml_dtypes"], program, tmp_path / "x", tmp_path / "y").split(") (")
    assert all(f"'{dtype}'" in one and bits in one for one in said)
    again = load(tmp_path / "y")
    assert all(same(again[name], arrays[name]) for name in arrays)
