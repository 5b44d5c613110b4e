"""Damaged and hostile files raise BadFile, naming file and fault, and cost little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from arrays import PEAK_MB, container, entry, sparse, written
from prunecell import BadFile
from prunecell.formats import PackReader, load, save
from safetensors.numpy import load_file
from wrong import WRONG, packed


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str, tmp_path: Path) -> None:
    data, said = WRONG[name]
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(data)
    with pytest.raises(BadFile) as error:
        load(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and said in text and ", got " in text
    assert len(text) < 600 and text.isprintable()


def test_the_files_of_this_suite_are_right_where_they_are_not_wrong(tmp_path: Path) -> None:
    path = tmp_path / "right"
    path.write_bytes(packed())
    dense = load(path)["w"]
    assert np.flatnonzero(dense).tolist() == [0, 11, 15, 41, 42] and dense.sum() == 15
    path.write_bytes(written({"w": np.ones(3, np.float32)}, {"some": "words"}))
    assert load(path)["w"].tolist() == [1, 1, 1]
    path.write_bytes(container({"w": entry("F32", [2**40, 0, 3], 0, 0)}))
    assert load(path)["w"].shape == (2**40, 0, 3)


def test_parts_that_are_not_all_there_are_tensors_like_any(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(packed(row_offsets=None))
    assert set(load(tmp_path / "x")) == {"w.shape", "w.compressed", "w.bitmask"}


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_refused_or_loaded_within_a_memory_limit(
    seed: int, tmp_path: Path
) -> None:
    program = [
        sys.executable,
        str(Path(__file__).with_name("hostile.py")),
        tmp_path,
        str(seed),
        "700",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        program, check=False, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    refused, loaded = map(int, done.stdout.split())
    assert refused > 350 and loaded > 10


@pytest.mark.parametrize(
    "header", [b'{"w":[' + b"[]," * 5_000_000 + b"[]]}", b"[" * (15 << 20)], ids=["wide", "deep"]
)
def test_headers_made_to_cost_memory_cost_little(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(container(header))
    program = (
        f"import sys, prunecell{PEAK_MB}"
        "from prunecell.formats import load\n"
        "try:\n    load(sys.argv[1])\n"
        "except prunecell.BadFile:\n"
        "    print(peak())\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert int(done.stdout) < 600  # MB, the interpreter and numpy included


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    save({"w": sparse("float32", (30, 40), 0.9), "b": np.ones(3)}, tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(BadFile):
            load(tmp_path / "cut")


def test_a_file_that_shrinks_while_it_is_open_is_an_error(tmp_path: Path) -> None:
    save({"w": np.ones(10_000)}, tmp_path / "x")
    with PackReader(tmp_path / "x") as file:
        os.truncate(tmp_path / "x", 4000)
        with pytest.raises(BadFile, match="tensor 'w': expected 80000 bytes, got"):
            file["w"]


def test_one_damaged_tensor_leaves_the_others_readable(tmp_path: Path) -> None:
    arrays = {"w": sparse("float32", (64, 64), 0.9), "b": np.ones(3)}
    save(arrays, tmp_path / "x")
    bitmask = load_file(tmp_path / "x")["w.bitmask"].tobytes()
    data = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(data.replace(bitmask, b"\0" * len(bitmask)))
    with PackReader(tmp_path / "x") as file:
        assert file["b"].tolist() == [1, 1, 1]
        with pytest.raises(BadFile, match="tensor 'w': expected 0 compressed values"):
            file["w"]


def test_what_is_not_a_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadFile, match="expected a file"):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")


def test_readers_close_what_they_refuse(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(packed(shape=np.array([5, 12])))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(BadFile):
            load(tmp_path / "x")
    assert len(os.listdir("/proc/self/fd")) == before
