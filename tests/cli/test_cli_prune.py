"""`prunecell prune`: real files in, real files out."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import prunecell
import pytest
from prunecell.formats import PackReader, load, save
from running import Run
from weights import PRUNABLE, npz, tensors

LIMITED = """
import resource, sys
from prunecell_cli import main
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


def expected(name: str, **rule: object) -> np.ndarray:
    weights = tensors()[name].copy()
    prunecell.rebuild_and_apply(weights, **rule)
    return weights


def test_npz_becomes_packed_safetensors(run: Run, tmp_path: Path) -> None:
    source, out = npz(tmp_path / "a.npz"), tmp_path / "b.safetensors"
    done = run("prune", source, out, "--threshold", 0.9)
    assert done.code == 0 and done.err == ""
    assert "without embeddings" in done.out
    written = load(out)
    assert list(written) == list(tensors())
    for name, original in tensors().items():
        weights = expected(name, threshold=0.9) if name in PRUNABLE else original
        if name in PRUNABLE:
            assert np.count_nonzero(weights == 0) >= 0.9 * weights.size
        assert written[name].dtype == weights.dtype
        np.testing.assert_array_equal(written[name], weights)
    with PackReader(out) as file:
        assert all(file.info(name).packed for name in PRUNABLE)
    assert out.stat().st_size < source.stat().st_size / 4


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_dense_output_holds_the_same_weights(run: Run, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"b{suffix}"
    arguments = ("--threshold", 0.5, "--delta", 1e-4, "--dense")
    assert run("prune", npz(tmp_path / "a.npz"), out, *arguments).code == 0
    written = np.load(out) if suffix == ".npz" else load(out)
    if suffix == ".safetensors":
        with PackReader(out) as file:
            assert not any(file.info(name).packed for name in file)
    for name in PRUNABLE:
        np.testing.assert_array_equal(written[name], expected(name, threshold=0.5, delta=1e-4))
    np.testing.assert_array_equal(written["scale"], tensors()["scale"])


def test_packed_safetensors_are_pruned_further(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert run("prune", npz(tmp_path / "a.npz"), first, "--threshold", 0.6).code == 0
    assert run("prune", first, second, "--threshold", 0.9).code == 0
    for name in PRUNABLE:
        np.testing.assert_array_equal(load(second)[name], expected(name, threshold=0.9))


def test_metadata_of_the_input_stays(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save(tensors(), source, metadata={"author": "me", "format": "pt"})
    assert run("prune", source, out, "--threshold", 0.9).code == 0
    with PackReader(out) as file:
        assert file.metadata == {"author": "me", "format": "pt"}


def test_bfloat16_is_pruned_by_its_own_values(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    values = np.random.default_rng(1).normal(0, 0.1, (50, 60)).astype(np.float32)
    high = (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    save({"w": high.view([("bfloat16", "<u2")])}, source)
    assert run("prune", source, out, "--threshold", 0.75, "--delta", 3e-3).code == 0
    wide = (high.astype(np.uint32) << np.uint32(16)).view(np.float32)
    prunecell.rebuild_and_apply(wide, threshold=0.75, delta=3e-3)
    written = np.asarray(load(out)["w"]).view(np.uint16)
    np.testing.assert_array_equal(written, np.where(wide == 0, 0, high))


def test_random_draws_what_a_cell_of_the_model_draws(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.ModuleDict({"a": torch.nn.Linear(30, 20), "b": torch.nn.Linear(30, 20)})
    source, out = tmp_path / "a.pt", tmp_path / "b.safetensors"
    torch.save(net.state_dict(), source)
    arguments = ("--threshold", 0.5, "--filler", "Random", "--seed", 7)
    assert run("prune", source, out, *arguments).code == 0
    for cell in prunecell.torch.wrap(net):
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="Random", threshold=0.5, seed=7
        )
    written = load(out, framework="torch")
    assert torch.equal(written["a.weight"], net["a"].weight)
    assert torch.equal(written["b.weight"], net["b"].weight)
    assert not torch.equal(written["a.weight"] == 0, written["b.weight"] == 0)


def test_torch_files_keep_their_nesting(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    source, out = tmp_path / "a.pt", tmp_path / "b.pth"
    tied = torch.randn(20, 30)
    content = {
        "model": {"in.weight": tied, "out.weight": tied, "out.bias": torch.ones(20)},
        "epoch": 3,
        "history": [torch.randn(4, 4, dtype=torch.bfloat16), "words", (1, 2)],
    }
    torch.save(content, source)
    done = run("prune", source, out, "--threshold", 0.8, "--json")
    names = [one["name"] for one in done.json["tensors"]]
    assert names == ["model.in.weight", "history.0"]  # the first of tied ones
    written = torch.load(out, weights_only=True)
    assert written["epoch"] == 3 and written["history"][1:] == ["words", (1, 2)]
    weights = written["model"]
    assert weights["in.weight"].data_ptr() == weights["out.weight"].data_ptr()
    assert int((weights["in.weight"] == 0).sum()) >= 480
    assert torch.equal(weights["out.bias"], torch.ones(20))
    assert written["history"][0].dtype == torch.bfloat16
    assert int((written["history"][0] == 0).sum()) >= 13
    assert torch.equal(torch.load(source, weights_only=True)["model"]["in.weight"], tied)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
def test_what_is_no_tensor_passes_or_is_said(run: Run, tmp_path: Path, suffix: str) -> None:
    torch = pytest.importorskip("torch")
    content = {"model": {"w": torch.randn(20, 30)}, "epoch": 3, "lr": 0.1}
    torch.save(content, tmp_path / "a.pt")
    done = run("prune", tmp_path / "a.pt", tmp_path / f"b{suffix}", "--threshold", 0.8)
    assert done.code == 0
    said = "warning: left out: 2 entries that are no tensors (such as epoch)\n"
    assert done.err == ("" if suffix == ".pt" else f"prunecell prune: {said}")


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_other_members_of_archives_are_said(run: Run, tmp_path: Path, suffix: str) -> None:
    if suffix == ".pt":
        pytest.importorskip("torch")
    with zipfile.ZipFile(npz(tmp_path / "a.npz"), "a") as archive:
        archive.writestr("read.me", "words")
    done = run("prune", tmp_path / "a.npz", tmp_path / f"b{suffix}", "--threshold", 0.8)
    assert done.code == 0
    assert "warning: left out: 1 entry that is no tensor (such as read.me)" in done.err


def test_masks_of_a_training_run_do_not_pass(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(30, 20))
    model = prunecell.torch.wrap(net)
    model.cells[0].quantizer = prunecell.PruneCell(
        prune_mode="Static", prune_filler="IterNonStruct", threshold=0.3
    )
    source, out = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save(net.state_dict(), source)
    done = run("prune", source, out, "--threshold", 0.8)
    assert done.code == 0
    assert "warning: left out: 2 tensors" in done.err and "0.prune_" in done.err
    assert set(torch.load(out, weights_only=True)) == {"0.weight", "0.bias"}


def test_patterns_choose_tensors(run: Run, tmp_path: Path) -> None:
    source, out = npz(tmp_path / "a.npz"), tmp_path / "b.npz"
    arguments = ("--threshold", 0.9, "--include", "*.weight", "--exclude", "*embed*", "--json")
    figures = run("prune", source, out, *arguments).json
    assert [one["name"] for one in figures["tensors"]] == ["conv.weight", "fc.weight"]
    assert figures["pruned"] == figures["layers"]
    written = np.load(out)
    np.testing.assert_array_equal(
        written["word_embedding.weight"], tensors()["word_embedding.weight"]
    )


def test_figures_say_what_the_files_hold(run: Run, tmp_path: Path) -> None:
    source, out = npz(tmp_path / "a.npz"), tmp_path / "b.safetensors"
    figures = run("prune", source, out, "--threshold", 0.9, "--json").json
    assert figures["output_bytes"] == out.stat().st_size
    by_name = {one["name"]: one for one in figures["tensors"]}
    assert set(by_name) == set(PRUNABLE)
    with PackReader(out) as file:
        for name, one in by_name.items():
            assert one["zeros"] == np.count_nonzero(load(out)[name] == 0)
            assert one["dense_bytes"] == tensors()[name].nbytes
            assert one["bytes"] == file.info(name).nbytes
            assert (one["asked"], one["form"]) == (0.9, "packed")
    both = figures["pruned"], figures["layers"]
    assert [one["tensors"] for one in both] == [3, 2]
    assert both[0]["weights"] - both[1]["weights"] == 300 * 64
    assert both[0]["zeros"] == sum(one["zeros"] for one in by_name.values())


INI = """
[conv]
QWeight=Prune
QWeight.PruningMode=Static
QWeight.PruningFiller=IterNonStruct
QWeight.Threshold=0.3
[fc.weight]
QWeight=Prune
QWeight.PruningMode=Gradual
QWeight.PruningFiller=IterNonStruct
QWeight.Threshold=0.7
QWeight.Delta=0.01
"""


def test_config_prunes_what_it_names(run: Run, tmp_path: Path) -> None:
    source, out = npz(tmp_path / "a.npz"), tmp_path / "b.npz"
    (tmp_path / "x.ini").write_text(INI)
    done = run("prune", source, out, "--config", tmp_path / "x.ini", "--json")
    assert [one["name"] for one in done.json["tensors"]] == ["conv.weight", "fc.weight"]
    written = np.load(out)
    np.testing.assert_array_equal(written["conv.weight"], expected("conv.weight", threshold=0.3))
    np.testing.assert_array_equal(
        written["fc.weight"], expected("fc.weight", threshold=0.7, delta=0.01)
    )
    name = "word_embedding.weight"
    np.testing.assert_array_equal(written[name], tensors()[name])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("[cnov]", "section [cnov] fits no tensor: expected one of conv"),
        ("[conv.bias]", "two or more dimensions, conv.bias is float32 16"),
        ("[ids]", "two or more dimensions, ids is int64 3x4"),
    ],
)
def test_config_that_fits_nothing_is_an_error(
    run: Run, tmp_path: Path, section: str, said: str
) -> None:
    (tmp_path / "x.ini").write_text(INI.replace("[conv]", section))
    out = tmp_path / "b.npz"
    ran = run("prune", npz(tmp_path / "a.npz"), out, "--config", tmp_path / "x.ini")
    assert said in ran.complaint(2)
    assert not out.exists()


def test_config_that_is_wrong_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.ini").write_text(INI.replace("Threshold=0.3", "Threshold=3"))
    ran = run("prune", npz(tmp_path / "a.npz"), tmp_path / "b.npz", "--config", tmp_path / "x.ini")
    assert "x.ini:6" in ran.complaint(1)
    (tmp_path / "x.ini").write_text("[conv]\nType=Conv\n")
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--config", tmp_path / "x.ini")
    assert "expected a section with QWeight=Prune" in ran.complaint(2)
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--config", tmp_path / "no.ini")
    assert "no.ini: no such file" in ran.complaint(1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "expected --threshold SHARE or --config INI"),
        (("--threshold", 1.5), "--threshold: expected a number from 0 to 1, got 1.5"),
        (("--threshold", "nan"), "--threshold"),
        (("--threshold", "much"), "--threshold: invalid float value: 'much'"),
        (("--threshold", 0.5, "--delta", 0), "--delta"),
        (("--threshold", 0.5, "--seed", -1), "--seed: expected an integer from 0"),
        (("--threshold", 0.5, "--filler", "random"), "choose from"),
        (("--threshold", 0.5, "--include", "cnov*"), "--include 'cnov*' fits none of conv.weight"),
        (("--threshold", 0.5, "--exclude", "*.bias"), "--exclude '*.bias' fits none of"),
        (("--threshold", 0.5, "--config", "x.ini"), "leave out --threshold"),
        (("--config", "x.ini", "--seed", -1), "--seed: expected an integer from 0"),
        (("--thresh", 0.5), "unrecognized arguments"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    run: Run, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    out = tmp_path / "b.safetensors"
    assert said in run("prune", npz(tmp_path / "a.npz"), out, *options).complaint(2)
    assert os.listdir(tmp_path) == ["a.npz"]


def test_paths_that_cannot_be_meant(run: Run, tmp_path: Path) -> None:
    source, options = npz(tmp_path / "a.npz"), ("--threshold", 0.5)
    ran = run("prune", source, tmp_path / "b.onnx", *options)
    assert "expected a name that ends in .safetensors" in ran.complaint(2)
    assert "IN and OUT are one file" in run("prune", source, source, *options).complaint(2)
    ran = run("prune", source, tmp_path / "no" / "b.npz", *options)
    assert "does not exist" in ran.complaint(1)
    (tmp_path / "folder.npz").mkdir()
    ran = run("prune", source, tmp_path / "folder.npz", *options)
    assert "got a folder" in ran.complaint(1)
    ran = run("prune", tmp_path / "none.npz", tmp_path / "b.npz", *options)
    assert "none.npz: no such file or directory" in ran.complaint(1)


def test_nothing_to_prune_is_a_failure(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", bias=np.ones(3))
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0.5)
    assert "two or more dimensions, the file has none" in ran.complaint(1)


@pytest.mark.parametrize("patterns", ["--exclude *", "--include fc* --exclude conv* --exclude fc*"])
def test_patterns_that_leave_nothing_are_a_failure(run: Run, tmp_path: Path, patterns: str) -> None:
    out, options = tmp_path / "b.npz", ("--threshold", 0.5, *patterns.split())
    said = run("prune", npz(tmp_path / "a.npz"), out, *options).complaint(1)
    quoted = " ".join(w if w.startswith("--") else repr(w) for w in patterns.split())
    assert f"nothing to prune: {quoted} leaves none of conv.weight, word_emb" in said
    assert not out.exists()


def test_a_failure_leaves_the_old_output(run: Run, tmp_path: Path) -> None:
    bad = np.full((4, 4), np.nan, dtype=np.float32)
    for suffix in (".npz", ".safetensors"):
        out = tmp_path / f"b{suffix}"
        out.write_bytes(b"old")
        ran = run("prune", npz(tmp_path / "a.npz", zz=bad), out, "--threshold", 0.5)
        assert "tensor 'zz'" in ran.complaint(1)
        assert out.read_bytes() == b"old"
        assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_npz_has_no_bfloat16(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    save({"w": np.ones((4, 4), np.uint16).view([("bfloat16", "<u2")])}, source)
    ran = run("prune", source, tmp_path / "b.npz", "--threshold", 0.5)
    assert ".npz has no bfloat16" in ran.complaint(1)
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_compressed_archives_stay_compressed(run: Run, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", **tensors())
    assert run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0.9).code == 0
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    np.testing.assert_array_equal(
        np.load(tmp_path / "b.npz")["fc.weight"], expected("fc.weight", threshold=0.9)
    )


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files_larger_than_memory(tmp_path: Path, suffix: str) -> None:
    count, limit = 14, 320 << 20
    weights = np.random.default_rng(3).normal(0, 0.05, (6 << 10, 1 << 10)).astype(np.float32)
    source = tmp_path / f"big{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(source, "w") as archive:
            np.save(tmp_path / "one.npy", weights)
            for number in range(count):
                archive.write(tmp_path / "one.npy", f"w{number}.npy")
    else:
        save({f"w{number}": weights for number in range(count)}, source, pack=False)
    assert source.stat().st_size > limit
    out = tmp_path / "small.safetensors"
    arguments = ["prune", source, out, "--threshold", "0.95", "--json"]
    command = [sys.executable, "-c", LIMITED, limit, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    prunecell.rebuild_and_apply(weights, threshold=0.95)
    with PackReader(out) as file:
        assert len(file) == count
        np.testing.assert_array_equal(file["w13"], weights)
