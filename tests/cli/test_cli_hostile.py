"""Files made to take memory, time or the terminal; streams and disks that take nothing."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from prunecell.formats import save
from prunecell.shown import printable
from running import Run

ESCAPES = "\x1b[2J\x07\x7f\x9b\u202e\u2066"


def shared_lists(depth: int) -> list[object]:
    found: list[object] = []
    for _ in range(depth):
        found = [found] * 2
    return found


def nested(depth: int) -> list[object]:
    found: list[object] = []
    for _ in range(depth):
        found = [found]
    return found


def test_torch_files_are_not_followed_without_end(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    endless: list[object] = []
    endless.append(endless)
    one = torch.ones(1)
    for content, said in (
        (shared_lists(40), "at most 300000 values"),
        (endless, "at most 64 deep"),
        (nested(300), "at most 64 deep"),
        ({"w": one.expand(2_000_000_000)}, "at most 16 bytes of tensors"),
        ({"w": [one.expand(10_000_000)] * 2}, "at most 16 bytes of tensors"),
        ({("a", 1): one}, "words and numbers as keys"),
        ([{"n" * 100_000: [one] * 50}] * 50, "characters of names"),
    ):
        torch.save(content, tmp_path / "a.pt")
        assert said in run("inspect", tmp_path / "a.pt").complaint(1)
    # Deeper than pickle itself can write.
    (tmp_path / "a.pt").write_bytes(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    assert "a.pt: expected" in run("inspect", tmp_path / "a.pt").complaint(1)


def test_torch_archives_that_were_deflated_are_refused(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 1_000_000)
    assert "members that are stored" in run("inspect", tmp_path / "a.pt").complaint(1)


def npy(header: bytes, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def fields(descr: str, shape: str) -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()


MEMBERS = {
    "a header of spaces": (npy(b" " * 1_000_000, version=2), "at most 65536 are read"),
    "no header": (b"hello", "expected an array"),
    "a tokenizer's error": (npy(b"{'a': '''\n"), "expected an array"),
    "a parser's error": (npy(b"(" * 2000), "expected an array"),
    "nested signs": (npy(b"-" * 9000 + b"1\n"), "expected an array"),
    "negative extents": (npy(fields("'<f4'", "(-3, -4)"), b"\0" * 48), "integers >= 0"),
    "extents that are true": (npy(fields("'<f4'", "(True,)"), b"\0" * 4), "integers >= 0"),
    "extents without end": (npy(fields("'<f4'", f"({2**62}, {2**62})")), "less than 2**63"),
    "many dimensions": (npy(fields("'<f4'", "(1,)*1"), b"\0" * 4), "expected an array"),
    "bytes that are missing": (npy(fields("'<f4'", "(3, 4)"), b"\0" * 47), "48 bytes"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_of_archives_are_refused_in_one_line(name: str, run: Run, tmp_path: Path) -> None:
    member, said = MEMBERS[name]
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", member)
    complaint = run("inspect", tmp_path / "a.npz").complaint(1)
    assert said in complaint and "a.npz: tensor 'w': expected" in complaint


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compressions_that_numpy_does_not_write_are_refused(
    method: int, run: Run, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("w.npy", npy(fields("'<f4'", "(1,)"), b"\0" * 4))
    assert "stored or deflated" in run("inspect", tmp_path / "a.npz").complaint(1)


def test_objects_of_any_form_are_no_tensors(run: Run, tmp_path: Path) -> None:
    for descr in ("[('a', 'O')]", "'|O'", "[('float32', '<f4', (2,))]", "('<f4', (2, 2))"):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("w.npy", npy(fields(descr, "(0,)")))
        run("inspect", tmp_path / "a.npz")
        ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0.5)
        assert ran.code == 1 and "Traceback" not in ran.err


def test_figures_of_a_file_are_json(run: Run, tmp_path: Path) -> None:
    save({"w\x7f": np.ones((2, 2))}, tmp_path / "a.safetensors", metadata={"m": ESCAPES})
    ran = run("inspect", tmp_path / "a.safetensors", "--json")
    assert ran.json["tensors"][0]["name"] == "w\x7f" and printable(ESCAPES) != ESCAPES
    assert all(line.isprintable() for line in ran.out.splitlines())


def test_no_text_drives_the_terminal(run: Run, tmp_path: Path) -> None:
    weight = np.ones((2, 2), np.float32)
    arrays = {f"{ESCAPES}.weight": weight, f"{ESCAPES}.prune_mask": weight}
    save(arrays, tmp_path / "a.safetensors", metadata={ESCAPES: ESCAPES})
    (tmp_path / "a.ini").write_text(f"[{ESCAPES}x]\nQWeight=Prune\nQWeight=Prune\n")
    out = tmp_path / "b.safetensors"
    for arguments in (
        ("inspect", tmp_path / "a.safetensors"),
        ("inspect", tmp_path / f"none{ESCAPES}"),
        ("inspect", tmp_path / "a.safetensors", "--include", ESCAPES),
        ("inspect", f"--{ESCAPES}"),
        ("prune", tmp_path / "a.safetensors", out, "--threshold", 0.5),
        ("prune", tmp_path / "a.safetensors", out, "--config", tmp_path / "a.ini"),
        ("prune", tmp_path / "a.safetensors", out, "--filler", ESCAPES),
    ):
        ran = run(*arguments)
        assert all(line.isprintable() for line in (ran.out + ran.err).splitlines())
        assert ran.out + ran.err


def test_pipes_and_devices_are_no_files(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "a.npz", w=np.ones((2, 2)))
    options = ("--threshold", 0.5)
    said = "got a device or pipe"
    assert said in run("inspect", tmp_path / "pipe.npz").complaint(1)
    assert said in run("prune", tmp_path / "a.npz", tmp_path / "pipe.npz", *options).complaint(1)
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--config", tmp_path / "pipe.npz")
    assert said in ran.complaint(1)
    assert said in run("report", tmp_path, "-o", tmp_path / "pipe.npz").complaint(1)
    assert said in run("report", tmp_path, "-o", "/dev/full").complaint(1)


PROGRAM = (sys.executable, "-m", "prunecell")


def test_closed_streams_end_with_the_documented_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.ones((2, 2)))
    source = str(tmp_path / "a.npz")

    def shell(*arguments: str, closed: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    ran = shell("inspect", source, closed=">&-")
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1 and "it is closed" in ran.stderr
    assert shell("inspect", source, closed="2>&-").returncode == 0
    assert shell("inspect", "none", closed="2>&-").returncode == 1
    assert shell("--nothing", closed=">&- 2>&-").returncode == 2
    assert shell("inspect", "none", closed=">&- 2>&-").returncode == 1
    ran = shell("inspect", source, closed=">/dev/full")
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1 and "no space left" in ran.stderr
    assert shell("inspect", "none", closed="2>/dev/full").returncode == 1
    ran = shell("--help", closed=">/dev/full")
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1 and "no space left" in ran.stderr
    assert shell("--help", closed=">&-").returncode == 0


@pytest.mark.parametrize("suffix", ["pt", "npz", "safetensors"])
def test_a_full_disk_is_said_in_one_line(suffix: str, tmp_path: Path) -> None:
    if suffix == "pt":
        pytest.importorskip("torch")
    np.savez_compressed(tmp_path / "a.npz", w=np.random.default_rng(0).normal(size=(500, 500)))
    out = tmp_path / f"out.{suffix}"
    arguments = ("prune", str(tmp_path / "a.npz"), str(out), "--threshold", "0.1")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ran = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, check=False, preexec_fn=small
    )
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1, ran.stderr
    assert "file too large" in ran.stderr.lower()
    assert os.listdir(tmp_path) == ["a.npz"]


def run_folder(folder: Path, *records: dict[str, object], planned: int = 3) -> Path:
    options = {
        "data": "x", "epochs": planned, "batch": 1, "lr": 0.1, "momentum": 0.0,
        "weight_decay": 0.0, "seed": 0, "threads": 0,
    }  # fmt: skip
    description = {
        "format": 1, "ini": "x.ini", "ini_sha256": "", "data_sha256": "", "options": options,
        "images": {"train": 1, "test": 1}, "threads": 1, "versions": {},
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(description))
    (folder / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return folder


def epoch(number: int, **changed: object) -> dict[str, object]:
    cell = {"threshold": 0.5, "zeros": 1, "size": 2}
    return {"epoch": number, "loss": 0.1, "accuracy": 0.5, "cells": {"a": cell}} | changed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"epoch": 2_000_000_000}, "expected 2 as epoch in line 2"),
        ({"cells": {}}, "expected the cells of line 1 in line 2"),
        ({"cells": {"b": {"threshold": 0.5, "zeros": 1, "size": 2}}}, "the cells of line 1"),
        ({"cells": {"a": {"threshold": 7, "zeros": 1, "size": 2}}}, "a number from 0 to 1"),
        ({"cells": {"a": {"threshold": 0, "zeros": 3, "size": 2}}}, "an integer from 0 to 2"),
        ({"accuracy": 1e300}, "a number from 0 to 1 as accuracy"),
        ({"loss": float("nan")}, "a finite number or null as loss"),
    ],
)
def test_logs_that_no_run_writes_are_refused(
    changed: dict[str, object], said: str, run: Run, tmp_path: Path
) -> None:
    folder = run_folder(tmp_path / "run", epoch(1), epoch(2, **changed))
    assert said in run("report", folder, "-o", tmp_path / "r.html").complaint(1)


@pytest.mark.parametrize("loss", [5e-324, 2.3e-308, 1.7e308, 0.0, -1.0, None])
def test_any_loss_is_drawn(loss: float | None, run: Run, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", epoch(1, loss=loss), epoch(2, loss=loss))
    ran = run("report", folder, "-o", tmp_path / "r.html")
    assert ran.code == 0, ran.err


def test_archives_of_no_members_are_read_as_such(run: Run, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    assert run("inspect", tmp_path / "a.npz").code == 0
