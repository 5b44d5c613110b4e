"""What `prunecell prune` says: tables, fillers, steps that are too coarse."""

from pathlib import Path

import numpy as np
import pytest
from running import Run
from weights import PRUNABLE, npz, tensors

SECTION = """
[{}]
QWeight=Prune
QWeight.PruningMode={}
{}
"""
ITER = "QWeight.PruningFiller=IterNonStruct"


def layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    names = ("attention.self.key", "attention.self.query", "intermediate.dense", "output.dense")
    return {
        f"bert.encoder.layer.{number}.{name}.weight": rng.normal(0, 0.1, (40, 30))
        for number in (0, 1, 11)
        for name in names
    }


@pytest.mark.parametrize("width", [140, 80, 60, 40])
@pytest.mark.parametrize("command", ["inspect", "prune"])
def test_tables_tell_layers_apart_on_any_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    np.savez(tmp_path / "a.npz", **layers())
    monkeypatch.setattr("prunecell.cli.console.width", lambda: width)
    options = ("--threshold", 0.5) if command == "prune" else ()
    out = [tmp_path / "b.npz"] if command == "prune" else []
    lines = run(command, tmp_path / "a.npz", *out, *options).out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("tensor "))
    names = [line.split()[0] for line in lines[start + 1 : start + 13]]
    assert len(set(names)) == 12
    if width >= 80:
        assert names == list(layers())
    end = next(i for i, line in enumerate(lines) if line.startswith("---"))
    assert max(map(len, lines[start:end])) <= width
    assert ("reached" if command == "prune" else "zeros") in lines[start]


@pytest.mark.parametrize(
    ("mode", "filler", "said"),
    [
        ("Static", ITER, "IterNonStruct, the smallest weights first"),
        ("Gradual", "", "Random, weights drawn at random, whatever their size"),
        ("Identity", ITER, "None, all weights left as they are"),
    ],
)
def test_one_filler_is_said_once(
    run: Run, tmp_path: Path, mode: str, filler: str, said: str
) -> None:
    (tmp_path / "x.ini").write_text(
        "".join(SECTION.format(name, mode, filler) for name in ("conv", "fc"))
    )
    config = ("--config", tmp_path / "x.ini")
    out = run("prune", npz(tmp_path / "a.npz"), tmp_path / "b.npz", *config).out
    assert f"\n\nfiller: {said}\n" in out
    assert "filler" not in out.splitlines()[0]


def test_different_fillers_are_a_column(run: Run, tmp_path: Path) -> None:
    sections = SECTION.format("conv", "Static", ITER) + SECTION.format("fc", "Static", "")
    (tmp_path / "x.ini").write_text(sections)
    config = ("--config", tmp_path / "x.ini")
    out = run("prune", npz(tmp_path / "a.npz"), tmp_path / "b.npz", *config).out
    header, conv, fc, *_ = (line.split() for line in out.splitlines())
    assert [line[-1] for line in (header, conv, fc)] == ["filler", "IterNonStruct", "Random"]
    assert "filler:" not in out


def test_a_step_that_is_too_coarse_is_said_once(run: Run, tmp_path: Path) -> None:
    coarse = ("--threshold", 0.9, "--delta", 10)
    done = run("prune", npz(tmp_path / "a.npz"), tmp_path / "b.npz", *coarse)
    assert done.code == 0
    assert done.err == (
        "prunecell prune: warning: conv.weight: asked 90.00 %, pruned 100.00 %, and too much of "
        "2 other tensors: delta 10 is a coarse step for such weights\n"
    )
    only = ("--include", "fc*", "--json")
    done = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *coarse, *only)
    assert "asked 90.00 %, pruned 100.00 %: delta 10" in done.err
    assert [one["zeros"] for one in done.json["tensors"]] == [tensors()["fc.weight"].size]


@pytest.mark.parametrize("delta", [1e-4, 0.02])
def test_ties_and_earlier_zeros_are_no_fault_of_the_step(
    run: Run, tmp_path: Path, delta: float
) -> None:
    earlier = np.zeros((20, 20), np.float32)
    earlier[0] = 1.0
    np.savez(tmp_path / "a.npz", earlier=earlier, ties=np.full((9, 9), 0.5), few=np.eye(2))
    options = ("--threshold", 0.3, "--delta", delta)
    done = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *options, "--json")
    assert "coarse step" not in done.err
    assert [one["zeros"] for one in done.json["tensors"]] == [380, 81, 2]


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_tensors_of_equal_weights_are_said_to_go_whole(
    run: Run, tmp_path: Path, value: float
) -> None:
    equal = {name: np.full((9, 9), value) for name in ("gate", "head")}
    options = ("--threshold", 0.3)
    done = run("prune", npz(tmp_path / "a.npz", **equal), tmp_path / "b.npz", *options)
    assert done.code == 0
    assert done.err == (
        "prunecell prune: warning: gate: asked 30.00 %, pruned 100.00 %, and all of 1 other "
        "tensor: weights that are equal, or below one step of delta, go together; --ties keep "
        "leaves such tensors as they are\n"
    )
    for meant in (("--threshold", 1), ("--threshold", 0), (*options, "--filler", "Random")):
        assert run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *meant).err == ""


def test_tensors_of_equal_weights_can_be_kept(run: Run, tmp_path: Path) -> None:
    equal = {name: np.full((9, 9), 0.5) for name in ("gate", "head")}
    options = ("--threshold", 0.3, "--ties", "keep", "--json")
    done = run("prune", npz(tmp_path / "a.npz", **equal), tmp_path / "b.npz", *options)
    assert done.err == (
        "prunecell prune: warning: gate: asked 30.00 %, pruned 0.00 %, and nothing of 1 other "
        "tensor: all weights are equal, or below one step of delta, and stay with --ties keep\n"
    )
    found = {one["name"]: (one["tied"], one["zeros"]) for one in done.json["tensors"]}
    assert found["gate"] == found["head"] == (True, 0)
    assert not any(found[name][0] for name in PRUNABLE)
    with np.load(tmp_path / "b.npz") as written:
        assert (written["gate"] == 0.5).all()
        assert (written["fc.weight"] == 0).mean() >= 0.3
    coarse = ("--threshold", 0.3, "--delta", 10, "--ties", "keep", "--include", "fc*", "--json")
    done = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *coarse)
    assert [one["zeros"] for one in done.json["tensors"]] == [0]


def test_sections_say_what_becomes_of_ties(run: Run, tmp_path: Path) -> None:
    text = SECTION.format("gate", "Static", f"{ITER}\nQWeight.Ties=keep")
    (tmp_path / "x.ini").write_text(text)
    np.savez(tmp_path / "a.npz", gate=np.zeros((9, 9)))
    config = ("--config", tmp_path / "x.ini")
    done = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *config, "--json")
    assert done.json["tensors"][0]["tied"]
    assert "--ties keep" in done.err
    both = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *config, "--ties", "keep")
    assert "leave out --ties" in both.complaint(2)


def test_nan_counts_as_a_weight_that_is_kept(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.array([[0.5, 0.0], [3.0, np.nan]]))
    options = ("--threshold", 0.25, "--delta", 1)
    done = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", *options)
    assert "warning: w: asked 25.00 %, pruned 50.00 %: delta 1 is" in done.err
