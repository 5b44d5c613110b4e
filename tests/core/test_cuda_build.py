"""What the compiler made of the CUDA kernels, read from the library: needs no GPU."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import prunecell
import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = Path(prunecell.__file__).parent / "libprunecell_cuda.so"
ARCHITECTURES = {"sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"}
SHARED_LIMIT = 10_240  # bytes per block: three blocks and the L1 cache fit the smallest generation
REGISTER_LIMIT = 80  # per thread: three blocks of 256 threads


@pytest.fixture(scope="module")
def kernels() -> list[dict[str, Any]]:
    if not PLUGIN.exists():
        pytest.skip("the package was built without nvcc")
    if not (shutil.which("cuobjdump") and shutil.which("nvdisasm")):
        pytest.skip("cuobjdump and nvdisasm of the CUDA toolkit are not there")
    command = [sys.executable, str(ROOT / ".ci" / "cuda-report"), str(PLUGIN), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_generation_has_every_kernel(kernels: list[dict[str, Any]]) -> None:
    names = {kernel["name"] for kernel in kernels}
    assert {(k["name"], k["architecture"]) for k in kernels} == {
        (name, architecture) for name in names for architecture in ARCHITECTURES
    }


def test_no_kernel_spills_registers(kernels: list[dict[str, Any]]) -> None:
    assert [k["name"] for k in kernels if k["stack"] or k["local"]] == []


def test_blocks_fit_three_to_a_multiprocessor(kernels: list[dict[str, Any]]) -> None:
    large = [k for k in kernels if k["shared"] > SHARED_LIMIT or k["registers"] > REGISTER_LIMIT]
    assert large == []


def test_streaming_kernels_read_weights_16_bytes_at_a_time(kernels: list[dict[str, Any]]) -> None:
    reading = [k for k in kernels if k["streaming"] and k["name"] != "move_values<0>"]
    assert len(reading) > len(ARCHITECTURES)
    assert [k for k in reading if not k["wide_loads"]] == []


def test_kernels_that_write_weights_write_16_bytes_at_a_time(kernels: list[dict[str, Any]]) -> None:
    writers = ("write_masks<1>", "apply_masks_to_weights", "move_values<0>")
    writing = [k for k in kernels if k["name"] in writers]
    assert len(writing) == len(writers) * len(ARCHITECTURES)
    assert [k for k in writing if not k["wide_stores"]] == []


def test_the_plugin_exports_one_function_and_needs_no_cuda_library() -> None:
    if not PLUGIN.exists():
        pytest.skip("the package was built without nvcc")
    exported = subprocess.run(
        ["nm", "-D", "--defined-only", str(PLUGIN)], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in exported.stdout.splitlines()] == ["prunecell_cuda_plugin"]
    needed = subprocess.run(
        ["readelf", "--dynamic", str(PLUGIN)], capture_output=True, text=True, check=True
    )
    assert "libcuda" not in needed.stdout
