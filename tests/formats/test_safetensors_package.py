"""Our container and the safetensors package read each other's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from arrays import DTYPES, SHAPES, same, sparse
from prunecell.formats import PackReader, load, save
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

# The package's numpy front end has no name for these; its torch one does.
PLAIN = [name for name in DTYPES if not name.startswith(("bfloat", "float8"))]


@pytest.mark.parametrize("dtype", PLAIN)
def test_the_package_reads_what_we_write(dtype: str, tmp_path: Path) -> None:
    arrays = {str(shape): sparse(dtype, shape, 0) for shape in SHAPES}
    save(arrays | {"packed": sparse(dtype, (64, 99), 0.97)}, tmp_path / "x")
    read = load_file(tmp_path / "x")
    assert all(same(read[name], arrays[name]) for name in arrays)
    assert {"packed.shape", "packed.compressed", "packed.bitmask", "packed.row_offsets"} <= set(
        read
    )


@pytest.mark.parametrize("dtype", PLAIN)
def test_we_read_what_the_package_writes(dtype: str, tmp_path: Path) -> None:
    arrays = {str(shape): sparse(dtype, shape, 0.5) for shape in SHAPES}
    save_file(arrays, tmp_path / "x", metadata={"made": "elsewhere"})
    read = load(tmp_path / "x")
    assert set(read) == set(arrays) and all(same(read[name], arrays[name]) for name in arrays)
    with PackReader(tmp_path / "x") as file:
        assert file.metadata == {"made": "elsewhere"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_tensors_go_both_ways(dtype: str, tmp_path: Path) -> None:
    arrays = {
        "a": sparse(dtype, (5, 7), 0.3),
        "odd": sparse(dtype, (3,), 0),
        "n": sparse(dtype, (), 0),
    }
    save(arrays, tmp_path / "ours")
    theirs = safetensors_torch.load_file(tmp_path / "ours")
    assert {str(one.dtype) for one in theirs.values()} == {f"torch.{dtype}"}
    safetensors_torch.save_file(theirs, tmp_path / "theirs")
    read = load(tmp_path / "theirs")
    assert all(same(read[name], arrays[name]) for name in arrays)


def test_every_tensor_lies_at_a_multiple_of_its_element(tmp_path: Path) -> None:
    arrays = {
        "b": np.ones(3, np.uint8),
        "h": np.ones(5, np.float16),
        "d": np.ones(1),
        "c": np.ones(1, np.int8),
    }
    save(arrays, tmp_path / "x")
    data = (tmp_path / "x").read_bytes()
    with safe_open(tmp_path / "x", "numpy") as file:
        assert set(file.keys()) == set(arrays)
    for array in (arrays["d"], arrays["h"]):
        assert data.index(array.tobytes()) % array.itemsize == 0


def test_a_file_without_our_metadata_is_unpacked_all_the_same(tmp_path: Path) -> None:
    weights = sparse("float32", (64, 99), 0.9)
    save({"fc.weight": weights, "fc.bias": np.ones(4)}, tmp_path / "x")
    save_file(load_file(tmp_path / "x"), tmp_path / "resaved")
    read = load(tmp_path / "resaved")
    assert set(read) == {"fc.weight", "fc.bias"} and same(read["fc.weight"], weights)


def test_the_format_word_is_the_one_that_model_loaders_look_for(tmp_path: Path) -> None:
    save({"w": torch.ones(2)}, tmp_path / "torch")
    save({"w": np.ones(2)}, tmp_path / "numpy")
    with PackReader(tmp_path / "torch") as a, PackReader(tmp_path / "numpy") as b:
        assert (a.metadata["format"], b.metadata["format"]) == ("pt", "np")
