"""`prunecell report`: from the folder of a run to a page."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.runs import read_run
from prunecell.formats import load
from running import Run
from small_run import INI, write_data

pytest.importorskip("torch")


@pytest.fixture
def trained(run: Run, tmp_path: Path) -> Path:
    (tmp_path / "x.ini").write_text(INI)
    data = write_data(tmp_path / "x.npz")
    options = ("--epochs", 3, "--batch", 16, "--lr", 0.1, "--threads", 1)
    done = run("train", tmp_path / "x.ini", "--data", data, "--out", tmp_path / "run", *options)
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_page_of_a_run(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    done = run("report", trained, "-o", out, "--title", "A <run>", "--json")
    assert done.code == 0, done.err
    last = json.loads((trained / "log.jsonl").read_text().splitlines()[-1])
    assert done.json["accuracy"] == last["accuracy"]
    assert done.json["sparsity"] == pytest.approx(last["sparsity"], abs=1e-6)
    assert done.json["epochs"] == done.json["planned"] == 3
    assert done.json["file_bytes"] == (trained / "model.safetensors").stat().st_size
    text = out.read_text()
    assert "<h1>A &lt;run&gt;</h1>" in text
    for words in ("Weights of conv1 before and after", "fc1.weight", "Bytes of the final model"):
        assert words in text


def test_the_first_share_of_a_gradual_cell_is_shown(trained: Path) -> None:
    assert read_run(Folder(trained)).starts == {"fc1": 0.2}  # and none of conv1, which is Static


def test_runs_of_earlier_versions_are_shown_without_first_shares(trained: Path) -> None:
    description = json.loads((trained / "run.json").read_text())
    del description["starts"]
    (trained / "run.json").write_text(json.dumps(description))
    assert read_run(Folder(trained)).starts == {}


def test_histograms_are_of_the_weights_before_and_after(trained: Path) -> None:
    counts = read_run(Folder(trained)).histograms["fc1"]
    before, after = (
        load(trained / f"{name}.safetensors")["fc1.weight"] for name in ("initial", "model")
    )
    bounds = (-counts.limit, counts.limit)
    clipped = np.clip(before.astype(np.float64), *bounds)
    assert counts.before == np.histogram(clipped, len(counts.before), bounds)[0].tolist()
    assert counts.zeros == np.count_nonzero(after == 0) > 0
    assert sum(counts.after) == np.count_nonzero(after)


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    (trained / "model.safetensors").unlink()
    lines = (trained / "log.jsonl").read_text().splitlines(keepends=True)
    (trained / "log.jsonl").write_text(lines[0] + lines[1][:20])  # as a kill leaves it
    done = run("report", trained, "-o", tmp_path / "r.html")
    assert done.code == 0, done.err
    assert "1 of 3 epochs" in done.out
    assert "not finished yet" in (tmp_path / "r.html").read_text()


def test_what_is_no_run(run: Run, trained: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "r.html")
    assert "it has no run.json" in run("report", tmp_path / "none", *out).complaint(1)
    (tmp_path / "empty").mkdir()
    assert "it has no run.json" in run("report", tmp_path / "empty", *out).complaint(1)
    (trained / "model.safetensors").write_bytes(b"{}")
    assert "model.safetensors" in run("report", trained, *out).complaint(1)
    (trained / "log.jsonl").write_text('{"epoch": 1}\n')
    assert "log.jsonl: expected a finite number or null as loss in line 1" in run(
        "report", trained, *out
    ).complaint(1)
    (trained / "log.jsonl").write_text("{\n")
    assert "one line of JSON per epoch" in run("report", trained, *out).complaint(1)
    (trained / "run.json").write_text('{"format": 9}')
    assert "expected a run of format 1" in run("report", trained, *out).complaint(1)
    assert not (tmp_path / "r.html").exists()
    ran = run("report", trained, "-o", tmp_path / "no" / "r.html")
    assert "does not exist" in ran.complaint(1)
    assert "-o" in run("report", trained).complaint(2)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
