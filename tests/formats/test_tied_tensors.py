"""Tensors that are one piece of memory are stored once, and are one again when they are loaded."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import prunecell
import pytest
from prunecell.formats import PackReader, PackWriter, load, save

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, load_model  # noqa: E402


def tied() -> Any:
    torch.manual_seed(0)
    net = torch.nn.ModuleDict({"embed": torch.nn.Embedding(90, 70)})
    net["head"] = torch.nn.Linear(70, 90)
    net["head"].weight = net["embed"].weight
    return net


def pruned(net: Any) -> prunecell.torch.Model:
    model = prunecell.torch.wrap(net, embeddings=True)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=0.9
        )
    return model


@pytest.mark.parametrize("prune", [False, True])
def test_a_model_comes_back_tied_and_in_order(prune: bool, tmp_path: Path) -> None:
    net = tied()
    if prune:
        pruned(net)
    save(net, tmp_path / "x")
    state = load(tmp_path / "x", framework="torch")
    expected = net.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert state["head.weight"] is state["embed.weight"]
    with PackReader(tmp_path / "x") as file:
        info = file.info("head.weight")
        assert (info.alias_of, info.nbytes, info.packed) == ("embed.weight", 0, prune)
        assert info.shape == (90, 70)
    assert (tmp_path / "x").stat().st_size < (1.2 if not prune else 0.4) * 90 * 70 * 4
    names = set(load_file(tmp_path / "x"))
    assert not [name for name in names if name.endswith("prune_mask")]


def test_other_programs_read_the_first_name(tmp_path: Path) -> None:
    net, other = tied(), tied()
    torch.nn.init.zeros_(other["embed"].weight)
    save(net, tmp_path / "x")
    assert set(load_file(tmp_path / "x")) == {"embed.weight", "head.bias"}
    load_model(other, tmp_path / "x")  # which ties as safetensors does
    assert torch.equal(other["head"].weight, net["head"].weight)


def test_without_packing_every_name_is_there_for_other_programs(tmp_path: Path) -> None:
    net = tied()
    save(net, tmp_path / "x", pack=False)
    assert set(load_file(tmp_path / "x")) == set(net.state_dict())


def test_arrays_of_numpy_are_no_different(tmp_path: Path) -> None:
    one = np.random.default_rng(0).normal(size=(50, 40))
    given = {"a": one, "b": one[:], "half": one[:25], "copy": one.copy(), "none": one[:0]}
    given |= {"as integers": one.view(np.int64), "turned": one.T, "nothing": one[:0]}
    save(given, tmp_path / "x")
    with PackReader(tmp_path / "x") as file:
        assert [name for name in file if file.info(name).alias_of] == ["b"]
    found = load(tmp_path / "x")
    assert all(np.array_equal(found[name], value) for name, value in given.items())
    assert found["b"] is found["a"]


@pytest.mark.parametrize("size", [8, 64, 400])
@pytest.mark.parametrize("kind", ["archive", "numpy", "torch", "state_dict"])
def test_arrays_that_are_made_one_by_one_are_not_tied(kind: str, size: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {f"w{number}": random.normal(size=(size, size)) for number in range(8)}
    given: Any = Made(arrays, torch.tensor if kind == "torch" else np.copy)
    if kind == "archive":
        words: dict[str, Any] = dict(arrays)
        np.savez(tmp_path / "x.npz", **words)
        given = np.load(tmp_path / "x.npz")
    if kind == "state_dict":
        given = types.SimpleNamespace(state_dict=lambda made=given: made)
    save(given, tmp_path / "x")
    if kind == "archive":
        given.close()
    found = load(tmp_path / "x")
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


class Made(Mapping[str, Any]):
    """A mapping without arrays of its own: each is made anew whenever it is asked for."""

    def __init__(self, arrays: dict[str, Any], make: Callable[[Any], Any]) -> None:
        self._arrays, self._make = arrays, make

    def __getitem__(self, name: str) -> Any:
        return self._make(self._arrays[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def test_a_mask_of_its_own_is_kept(tmp_path: Path) -> None:
    net = tied()
    pruned(net)
    state = {name: value for name, value in net.state_dict().items()}
    state["head.prune_mask"] = ~state["head.prune_mask"]
    save(state, tmp_path / "x")
    found = load(tmp_path / "x", framework="torch")
    assert all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    "note",
    [
        {"alias_of": "none"},
        {"alias_of": "b"},
        {"alias_of": "mask"},
        {"alias_of": 3},
        {"alias_of": "a", "packed": True},
        {"alias_of": "a", "bitmask_of": "a"},
    ],
    ids=str,
)
def test_what_no_file_of_ours_says_is_refused(note: dict[str, Any], tmp_path: Path) -> None:
    with PackWriter(tmp_path / "x") as file:
        array = np.zeros((64, 64))
        mask = np.zeros((64, 8), dtype=np.uint8)
        assert file.add("a", array, mask=("mask", mask))
        file.add_mask("mask", "a")
        file.add_alias("b", "a")
    raw = (tmp_path / "x").read_bytes()
    said, other = json.dumps(json.dumps({"alias_of": "a"})), json.dumps(json.dumps(note))
    old = said[1:-1].replace(" ", "").encode()
    new = other[1:-1].replace(" ", "").encode()
    assert raw.count(old) == 1
    size = int.from_bytes(raw[:8], "little")
    header = raw[8 : 8 + size].replace(old, new)
    (tmp_path / "y").write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + size :])
    with pytest.raises(prunecell.BadFile, match="'b'"):
        load(tmp_path / "y")


def test_a_name_is_written_once(tmp_path: Path) -> None:
    with (
        pytest.raises(prunecell.InvalidArgument, match="'a' was written already"),
        PackWriter(tmp_path / "never") as file,
    ):
        file.add("a", np.ones(3))
        file.add_alias("a", "a")
