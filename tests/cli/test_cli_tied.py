"""Tied tensors on the command line: pruned once, whatever their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import prunecell
import pytest
from running import Run

torch = pytest.importorskip("torch")


def state() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(60, 50, generator=generator)
    return {
        "embed.weight": weight,
        "layer.weight": torch.randn(50, 50, generator=generator),
        "lm_head.weight": weight,
        "lm_head.bias": torch.randn(60, generator=generator),
    }


@pytest.fixture(params=["pt", "safetensors"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"in.{request.param}"
    (torch.save if request.param == "pt" else prunecell.save)(state(), path)
    return path


def loaded(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return prunecell.load(path, framework="torch")
    return torch.load(path, weights_only=True)


def share(weight: Any) -> float:
    return (weight == 0).float().mean().item()


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("options", [[], ["--include", "lm_head.weight"], ["--filler", "Random"]])
def test_they_are_pruned_once_and_stay_tied(
    run: Run, source: Path, tmp_path: Path, suffix: str, options: list[str]
) -> None:
    out = tmp_path / f"out.{suffix}"
    ran = run("prune", source, out, "--threshold", 0.7, *options, "--json")
    found = loaded(out)
    assert list(found) == list(state())
    assert 0.699 < share(found["embed.weight"]) < 0.71
    assert found["lm_head.weight"].data_ptr() == found["embed.weight"].data_ptr()
    assert share(found["layer.weight"]) == (
        0 if "--include" in options else pytest.approx(0.7, abs=0.01)
    )
    names = [one["name"] for one in ran.json["tensors"]]
    assert names == (
        ["embed.weight"] if "--include" in options else ["embed.weight", "layer.weight"]
    )


@pytest.mark.parametrize("dense", [["--dense", "safetensors"], ["npz"]])
def test_a_format_without_second_names_has_equal_tensors(
    run: Run, source: Path, tmp_path: Path, dense: list[str]
) -> None:
    out = tmp_path / f"out.{dense[-1]}"
    run("prune", source, out, "--threshold", 0.7, "--filler", "Random", *dense[:-1])
    again = tmp_path / "again.safetensors"
    run("prune", out, again, "--threshold", 0)
    found = loaded(again)
    assert share(found["embed.weight"]) == pytest.approx(0.7, abs=0.01)
    assert torch.equal(found["lm_head.weight"], found["embed.weight"])


@pytest.mark.parametrize(("excluded", "other"), [("*embed*", "lm_head"), ("lm_head*", "embed")])
def test_what_is_excluded_by_one_name_is_left_under_all(
    run: Run, source: Path, tmp_path: Path, excluded: str, other: str
) -> None:
    out = tmp_path / "out.pt"
    ran = run("prune", source, out, "--threshold", 0.7, "--exclude", excluded)
    found = loaded(out)
    assert share(found["embed.weight"]) == share(found["lm_head.weight"]) == 0
    assert share(found["layer.weight"]) == pytest.approx(0.7, abs=0.01)
    assert f"warning: {other}.weight is left as it is: " in ran.err
    assert "which is excluded, is the same tensor" in ran.err


def test_sections_that_disagree_are_named(run: Run, source: Path, tmp_path: Path) -> None:
    section = "[{}]\nQWeight=Prune\nQWeight.PruningMode=Static\nQWeight.Threshold={}\n"
    ini = tmp_path / "a.ini"
    ini.write_text(section.format("embed", 0.5) + section.format("lm_head", 0.6))
    ran = run("prune", source, tmp_path / "out.pt", "--config", ini)
    assert "[embed] and [lm_head] prune one tensor differently" in ran.complaint(2)
    ini.write_text(section.format("embed", 0.5) + section.format("lm_head", 0.5))
    run("prune", source, tmp_path / "out.pt", "--config", ini)
    assert share(loaded(tmp_path / "out.pt")["lm_head.weight"]) == pytest.approx(0.5, abs=0.01)


def test_inspect_counts_them_once(run: Run, source: Path) -> None:
    ran = run("inspect", source, "--json")
    total = ran.json["total"]
    assert total["weights"] == 60 * 50 + 50 * 50 + 60
    assert total["dense_bytes"] == 4 * total["weights"]
    assert [one["alias_of"] for one in ran.json["tensors"]] == [None, None, "embed.weight", None]
    assert " tied " in run("inspect", source).out
