"""A PruneCell that prunes one layer after the other keeps nothing of the layers that are gone."""

from __future__ import annotations

from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

STATIC: dict[str, Any] = {"prune_mode": "Static", "prune_filler": "IterNonStruct", "threshold": 0.5}


def attached(net: Any, quantizer: prunecell.PruneCell) -> prunecell.torch.Model:
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = quantizer
    return model


@pytest.mark.parametrize("how", ["detached", "deleted", "replaced"])
@pytest.mark.parametrize("in_place", [True, False])
def test_it_keeps_the_tensors_that_it_has(how: str, in_place: bool) -> None:
    reused = prunecell.PruneCell(**STATIC, in_place=in_place)
    kept = nn.Linear(7, 5)
    attached(kept, reused)
    before = kept.weight.detach().clone()
    for size in range(3, 12):
        net = nn.Linear(size, 4)
        model = attached(net, reused)
        assert (net.weight == 0).sum() >= 2 * size
        model.check()
        if how == "detached":
            model.detach()
        elif how == "replaced":
            attached(net, prunecell.PruneCell())
        del net, model
    assert len(reused.state_dict()["tensors"]) == 2
    assert torch.equal(kept.weight, before)
    assert prunecell.torch.wrap(kept).cells[0].figures.size == 35
    reused.update(1)


def test_what_was_set_by_hand_is_not_that_of_the_next() -> None:
    reused = prunecell.PruneCell(**STATIC)
    net = nn.Linear(6, 4)
    model = attached(net, reused)
    mask = reused.get_pruned_masks(0)
    reused.set_pruned_masks(0, torch.ones(4, 6, dtype=torch.bool).numpy())
    model.detach()
    other = nn.Linear(9, 4)
    attached(other, reused)
    assert mask.shape == (4, 9)  # live, as ever
    state = {name: value.clone() for name, value in nn.Linear(9, 4).state_dict().items()}
    with pytest.warns(prunecell.PruneWarning, match="built anew"):
        other.load_state_dict(state)  # a mask that was set would outlast it
    assert (other.weight == 0).sum() >= 18


@pytest.mark.parametrize("how", ["detached", "deleted"])
def test_an_average_keeps_what_it_had(how: str) -> None:
    reused = prunecell.PruneCell(**STATIC)
    net = nn.Linear(6, 4)
    model = attached(net, reused)
    average = AveragedModel(net)
    handle = prunecell.torch.wrap(average)
    handle.follow(model)
    if how == "detached":
        model.detach()
    del net, model
    attached(nn.Linear(9, 9), reused)
    average(torch.ones(1, 6))
    assert handle.figures(verify=True)["module"].zeros >= 12


def test_it_may_be_put_back() -> None:
    reused = prunecell.PruneCell(**STATIC | {"prune_mode": "Gradual", "gamma": 0.2, "start": 0.1})
    net = nn.Linear(6, 4)
    model = attached(net, reused)
    average = AveragedModel(net)
    handle = prunecell.torch.wrap(average)
    handle.follow(model)
    other = nn.Linear(3, 3)
    model.detach()
    attached(other, reused)  # takes the number
    attached(net, reused)
    model.end_epoch()
    assert handle.figures()["module"].zeros == model.cells[0].figures.zeros


def test_each_layer_is_told_of_anew() -> None:
    reused = prunecell.PruneCell(**STATIC)
    for _ in range(2):
        net = nn.Linear(6, 4)
        nn.init.zeros_(net.weight)
        with pytest.warns(prunecell.PruneWarning, match="all weights were pruned"):
            model = attached(net, reused)
        model.detach()
        del net, model
