"""Weights that leave the process are masked, whatever wrote them, with one warning."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import prunecell
import pytest
import torch
from torch import Tensor, nn

SHARE = 0.9
WRITES: dict[str, Callable[[Any], Any]] = {
    "traced": lambda w: w.lerp_(torch.ones_like(w), 0.3),
    "data": lambda w: w.data.lerp_(torch.ones_like(w), 0.3),
    "new data": lambda w: setattr(w, "data", w.data + 1),
    "foreach": lambda w: torch._foreach_add_([w.data], 1),
    "numpy": lambda w: np.add(w.detach().numpy(), 1, out=w.detach().numpy()),
}


def packed(net: Any, folder: Path) -> Any:
    prunecell.save(net, folder / "net.safetensors")
    return prunecell.load(folder / "net.safetensors", framework="torch")["0.weight"]


def compressed(net: Any, _: Path) -> Any:
    prunecell.torch.compress(net)
    prunecell.torch.decompress(net)
    return net[0].weight


LEAVES: dict[str, Callable[[Any, Path], Tensor]] = {
    "state_dict": lambda net, _: net.state_dict()["0.weight"],
    "state_dict of a layer": lambda net, _: net[0].state_dict()["weight"],
    "dense_state_dict": lambda net, _: prunecell.torch.dense_state_dict(net)["0.weight"],
    "deepcopy": lambda net, _: copy.deepcopy(net)[0].weight,
    "deepcopy of a layer": lambda net, _: copy.deepcopy(net[0]).weight,
    "pickle": lambda net, _: pickle.loads(pickle.dumps(net))[0].weight,
    "save": packed,
    "compress": compressed,
}


def pruned(*, in_place: bool = True) -> tuple[Any, prunecell.torch.Model]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 20))
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=SHARE, in_place=in_place
        )
    net(torch.randn(2, 40))
    return net, model


def zeros(weight: Tensor) -> float:
    return (weight == 0).float().mean().item()


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("write", WRITES)
def test_it_is_masked_and_said(write: str, leave: str, in_place: bool, tmp_path: Path) -> None:
    net, model = pruned(in_place=in_place)
    with torch.no_grad():
        WRITES[write](net[0].weight)
    with pytest.warns(prunecell.PruneWarning, match="cell '0': pruned") as said:
        assert zeros(LEAVES[leave](net, tmp_path)) >= SHARE
    assert len(said) == 1
    assert said[0].filename == __file__
    model.check()
    LEAVES[leave](net, tmp_path)  # and now without a warning


@pytest.mark.parametrize("leave", ["state_dict", "deepcopy", "pickle", "save", "compress"])
def test_all_cells_are_named_at_once(leave: str, tmp_path: Path) -> None:
    net, _ = pruned()
    for layer in (net[0], net[2]):
        layer.weight.data.add_(1)
    with pytest.warns(prunecell.PruneWarning, match="cells '0', '2': pruned") as said:
        LEAVES[leave](net, tmp_path)
    assert len(said) == 1


def test_kept_full_precision_weights_leave_as_they_are() -> None:
    """prune_dense has the writes to kept weights of a cell that is not in place."""
    net, _ = pruned(in_place=False)
    kept = net[0].weight.detach() != 0
    net[0].weight.data.mul_(2)  # zeros stay
    state = net.state_dict()
    assert torch.equal(state["0.prune_dense"][kept], net[0].weight.detach()[kept])


def test_a_holder_that_is_no_cell_leaves_masked() -> None:
    net: Any = nn.Sequential(nn.Embedding(30, 40), nn.Linear(40, 30))
    net[0].weight = net[1].weight
    prunecell.torch.wrap(net, embeddings=True).attach(
        {"1": prunecell.PruneCell.from_zeros(threshold=0.5)}
    )
    net[0].weight.data.add_(1)
    with pytest.warns(prunecell.PruneWarning, match="cell '1': pruned weights were not 0"):
        assert zeros(net[0].state_dict()["weight"]) >= 0.5


def test_a_copy_says_it_of_itself() -> None:
    net, _ = pruned()
    copied = copy.deepcopy(net)
    copied[2].weight.data.add_(1)
    net.state_dict()
    with pytest.warns(prunecell.PruneWarning, match="cell '2': pruned") as said:
        assert zeros(copied.state_dict()["2.weight"]) >= SHARE
    assert len(said) == 1


def test_wrapping_again_looks_once() -> None:
    net, _ = pruned()
    prunecell.torch.wrap(prunecell.torch.wrap(net))
    assert len(net._state_dict_pre_hooks) == 1


def test_a_model_without_quantizers_is_left_alone() -> None:
    net, model = pruned()
    model.detach()
    net[0].weight.data.add_(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert zeros(net.state_dict()["0.weight"]) < SHARE
