"""`prunecell inspect`: what is in a file."""

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from prunecell.formats import save
from running import Run
from weights import npz, tensors


def sparse() -> dict[str, np.ndarray]:
    weights = np.zeros((64, 48), dtype=np.float32)
    weights[:8] = np.linspace(0.25, 0.75, 8 * 48).reshape(8, 48)
    weights[9, 0] = -0.0
    return {"w": weights, "b": np.full(4, 3, dtype=np.float16), "n": np.arange(3)}


@pytest.mark.parametrize("pack", [True, False])
def test_safetensors(run: Run, tmp_path: Path, pack: bool) -> None:
    path = tmp_path / "a.safetensors"
    save(sparse(), path, pack=pack, metadata={"author": "me"})
    found = run("inspect", path, "--json").json
    assert found["kind"] == "safetensors"
    assert found["file_bytes"] == path.stat().st_size
    assert found["metadata"]["author"] == "me"
    first, second, third = found["tensors"]
    assert (first["name"], first["dtype"], first["shape"]) == ("w", "float32", [64, 48])
    assert first["form"] == ("packed" if pack else "dense")
    assert first["dense_bytes"] == 64 * 48 * 4
    assert (first["bytes"] < 3000) == pack
    assert first["zeros"] == 56 * 48
    assert first["octaves"] == {"-2": 192, "-1": 192}
    assert (second["zeros"], second["octaves"]) == (0, {"1": 4})
    assert "zeros" not in third
    assert found["total"] == {
        "tensors": 3,
        "weights": 64 * 48 + 4,
        "zeros": 56 * 48,
        "bytes": first["bytes"] + 8 + 24,
        "dense_bytes": 64 * 48 * 4 + 8 + 24,
    }
    assert found["prunable"] == found["layers"]
    assert found["prunable"]["tensors"] == 1


def test_sparsity_is_what_the_file_says_and_zeros_what_it_holds(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(sparse(), path)
    (one, *_) = run("inspect", path, "--json").json["tensors"]
    # -0 is a value to the format and a zero to the engine.
    assert one["sparsity"] == pytest.approx((56 * 48 - 1) / (64 * 48), abs=1e-6)


def test_text(run: Run, tmp_path: Path) -> None:
    done = run("inspect", npz(tmp_path / "a.npz"))
    assert done.code == 0 and done.err == ""
    assert "6 tensors" in done.out
    line = next(line for line in done.out.splitlines() if line.startswith("conv.weight"))
    assert line.split()[:7] == ["conv.weight", "float32", "16x3x5x5", "dense", "0.00", "%", "4.8"]
    assert "without embeddings" in done.out
    assert "\n|w| of 21,897 floating weights\n" in done.out


def test_one_of_anything_is_called_one(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.ones((1, 1)))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("read.me", "words")
    out = run("inspect", tmp_path / "a.npz").out
    for said in (", 1 tensor\n", "\n  1 entry that is no tensor\n", "|w| of 1 floating weight\n"):
        assert said in out


def test_patterns(run: Run, tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz")
    found = run("inspect", source, "--include", "*.weight", "--exclude", "fc*", "--json").json
    names = [one["name"] for one in found["tensors"]]
    assert names == ["conv.weight", "word_embedding.weight"]
    assert found["layers"]["tensors"] == 1
    found = run("inspect", source, "--embeddings", "fc*", "--json").json
    assert found["layers"]["weights"] == 16 * 75 + 300 * 64
    assert "fits none of" in run("inspect", source, "--include", "nothing").complaint(2)


def test_torch_files_nested_and_legacy(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    weights = torch.zeros(6, 5, dtype=torch.bfloat16)
    weights[0] = 1.5
    content = {"model": {"w": weights}, "epoch": 3, "list": [torch.arange(3)]}
    for legacy in (False, True):
        path = tmp_path / f"{legacy}.pt"
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        found = run("inspect", path, "--json").json
        first, second = found["tensors"]
        assert (first["name"], first["dtype"], first["zeros"]) == ("model.w", "bfloat16", 25)
        assert first["octaves"] == {"0": 5}
        assert (second["name"], second["dtype"]) == ("list.0", "int64")


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.path), "w"))


def test_objects_in_torch_files_are_not_loaded(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"w": Hostile(tmp_path / "written")}, tmp_path / "a.pt")
    said = run("inspect", tmp_path / "a.pt").complaint(1)
    assert "objects are not loaded" in said and "open" in said
    torch.save(torch.nn.Linear(2, 2), tmp_path / "b.pt")
    assert "Save model.state_dict() instead" in run("inspect", tmp_path / "b.pt").complaint(1)
    assert not (tmp_path / "written").exists()


def test_objects_in_archives_are_not_loaded(run: Run, tmp_path: Path) -> None:
    things = np.array([Hostile(tmp_path / "written")], dtype=object)
    np.savez(tmp_path / "a.npz", things=things, w=np.ones((2, 2)))
    found = run("inspect", tmp_path / "a.npz", "--json").json
    assert [one["dtype"] for one in found["tensors"]] == ["object", "float64"]
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0.5)
    assert "tensor 'things': expected numbers, got object" in ran.complaint(1)
    assert not (tmp_path / "written").exists()


def test_orders_and_byte_orders_of_archives(run: Run, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(0, 1, (5, 7))
    np.savez(tmp_path / "a.npz", f=np.asfortranarray(weights), big=weights.astype(">f8"))
    assert run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0).code == 0
    written = np.load(tmp_path / "b.npz")
    np.testing.assert_array_equal(written["f"], weights)
    np.testing.assert_array_equal(written["big"], weights)


def test_specials_are_counted(run: Run, tmp_path: Path) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1.0], dtype=np.float32)
    np.savez(tmp_path / "a.npz", w=values)
    (one,) = run("inspect", tmp_path / "a.npz", "--json").json["tensors"]
    assert (one["nan"], one["infinite"], one["zeros"]) == (1, 2, 2)
    assert one["octaves"] == {"-127": 1, "0": 1}
    assert "NaN" in run("inspect", tmp_path / "a.npz").out


def test_empty_and_odd_files(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", nothing=np.empty((0, 3), np.float32), one=np.float64(2))
    assert run("inspect", tmp_path / "a.npz").code == 0
    np.savez(tmp_path / "b.npz")
    assert run("inspect", tmp_path / "b.npz", "--json").json["tensors"] == []
    np.savez(tmp_path / "c.npz", huge=np.array([[1e308]]))
    assert "2**1024" in run("inspect", tmp_path / "c.npz").out


def test_names_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    save({"w\x1b[2J\n": np.ones((2, 2))}, tmp_path / "a.safetensors")
    out = run("inspect", tmp_path / "a.safetensors").out
    assert "\x1b" not in out and "w\\x1b[2J\\x0a" in out


def damaged(folder: Path) -> dict[str, tuple[bytes, str]]:
    """File name -> content, and a word that the error must have."""
    whole = folder / "whole"
    save(sparse(), whole)
    safetensors = whole.read_bytes()
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ones((100, 100)))
    npz_bytes = buffer.getvalue()
    huge = io.BytesIO()
    with zipfile.ZipFile(huge, "w") as archive:
        member = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 22)}
        np.lib.format.write_array_header_1_0(member, header)
        archive.writestr("w.npy", member.getvalue() + b"1234")
    flipped = bytearray(npz_bytes)
    flipped[40_000] ^= 255
    return {
        "empty": (b"", "an empty file"),
        "text": (b"hello there", "expected a safetensors file, an .npz archive or a torch file"),
        "cut.safetensors": (safetensors[:-5], "cut.safetensors"),
        "header.safetensors": (struct.pack("<Q", 1 << 40) + b"{}", "header of at most"),
        "json.safetensors": (struct.pack("<Q", 2) + b"{]", "JSON"),
        "short.safetensors": (b"{}", "short.safetensors"),
        "cut.npz": (npz_bytes[:-30], "expected a readable zip archive"),
        "flipped.npz": (bytes(flipped), "tensor 'w': expected an intact member"),
        "huge.npz": (huge.getvalue(), "expected 35,184,372,088,832 bytes"),
    }


def test_every_damage_is_named_in_one_line(run: Run, tmp_path: Path) -> None:
    for name, (content, said) in damaged(tmp_path).items():
        (tmp_path / name).write_bytes(content)
        complaint = run("inspect", tmp_path / name).complaint(1)
        assert said in complaint and str(tmp_path / name) in complaint


def test_damaged_torch_files(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.ones(50, 50)}, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for content in (whole[:-100], whole[:3000], b"\x80\x02garbage", b"\x80\x02]."):
        (tmp_path / "b.pt").write_bytes(content)
        assert str(tmp_path / "b.pt") in run("inspect", tmp_path / "b.pt").complaint(1)


def test_what_is_no_file(run: Run, tmp_path: Path) -> None:
    assert "expected a file, got a folder" in run("inspect", tmp_path).complaint(1)
    assert "no such file" in run("inspect", tmp_path / "none").complaint(1)
    assert "device or pipe" in run("inspect", os.devnull).complaint(1)


@pytest.mark.parametrize("found", ["None", "types.ModuleType('torch')"], ids=["none", "a_folder"])
def test_without_torch(tmp_path: Path, found: str) -> None:
    (tmp_path / "a.pt").write_bytes(b"\x80\x02.")
    code = (
        f"import sys, types; sys.modules['torch'] = {found}\n"
        "from prunecell_cli import main; sys.exit(main(sys.argv[1:]))"
    )
    npz(tmp_path / "a.npz")
    for arguments in (
        ["inspect", tmp_path / "a.pt"],
        ["prune", tmp_path / "a.npz", tmp_path / "b.pt", "--threshold", "0.5"],
        ["train", tmp_path / "a.npz", "--out", tmp_path / "run"],
    ):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 1
        assert "pip install 'prunecell[torch]'" in ran.stderr and ran.stderr.count("\n") == 1


def test_narrow_encodings_and_closed_pipes(tmp_path: Path) -> None:
    save({"größe": np.ones((4, 4))}, tmp_path / "a.safetensors")
    command = [sys.executable, "-m", "prunecell", "inspect", str(tmp_path / "a.safetensors")]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert b"gr\\xf6\\xdfe" in ran.stdout and b"###" in ran.stdout
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_counts_match_numpy(run: Run, tmp_path: Path) -> None:
    found = run("inspect", npz(tmp_path / "a.npz"), "--json").json
    for one in found["tensors"]:
        weights = tensors()[one["name"]]
        if weights.dtype.kind != "f":
            continue
        exponents = np.frexp(weights.astype(np.float64).ravel())[1] - 1
        lowest = {2: -15, 4: -127, 8: -1023}[weights.dtype.itemsize]
        values, counts = np.unique(np.maximum(exponents, lowest), return_counts=True)
        expected = dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))
        assert one["octaves"] == expected
