"""Ties between cells that are broken, or made, after the cells were pruned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from test_ties import INPUTS, Doubled, tied
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, all_may_go, pruned, train


def untie(net: Any) -> None:
    net[1].weight = nn.Parameter(torch.ones(6, 6))


def compute(net: Any) -> None:
    parametrize.register_parametrization(net[0], "weight", Doubled())


def mask_by_torch(net: Any) -> None:
    prune.random_unstructured(net[1], "weight", 0.2)


CALLS: dict[str, Callable[[Any, prunecell.torch.Model], Any]] = {
    "first": lambda net, _: net[0](INPUTS),
    "second": lambda net, _: net[1](INPUTS),
    "state_dict": lambda net, _: net.state_dict(),
    "update": lambda _, model: model.update(4),
    "one update": lambda _, model: model.cells[0].quantizer.update(4),
    "check": lambda _, model: model.check(),
    "apply_masks": lambda _, model: model.apply_masks(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("change", "message"),
    [(untie, "tie them again"), (compute, "computed from"), (mask_by_torch, "computed from")],
)
def test_cells_of_which_one_holds_another_weight_are_refused(
    change: Any, message: str, call: str
) -> None:
    net = tied()
    model = pruned(net, **GRADUAL)
    change(net)
    with pytest.raises(prunecell.WrongState, match=rf"(?s)cell '0'.*{message}"):
        CALLS[call](net, model)
    assert all(figures.asked == pytest.approx(0.2) for figures in model.figures().values())
    model.detach()
    net(INPUTS)


@pytest.mark.parametrize("change", [untie, compute])
def test_a_copy_of_such_cells_is_refused_as_they_are(change: Any) -> None:
    net = tied()
    pruned(net)
    change(net)
    with pytest.raises(prunecell.WrongState, match="cell '0'"):
        copy.deepcopy(net)(INPUTS)


def test_two_cells_that_are_tied_after_they_were_pruned_are_refused() -> None:
    net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    first, second = model = pruned(net, prune_filler="Random")
    net[1].weight = net[0].weight
    for call in (CALLS["second"], CALLS["update"], CALLS["state_dict"]):
        with pytest.raises(prunecell.WrongState, match="'0' and '1' share one weight since"):
            call(net, model)
    second.quantizer = None
    second.quantizer = first.quantizer
    train(net, SGD(net.parameters(), lr=0.1), 2, INPUTS)
    model.check()
    assert second.figures.zeros == first.figures.zeros


@all_may_go
def test_a_tie_that_was_broken_since_wrap_is_none() -> None:
    net = tied()
    model = prunecell.torch.wrap(net)
    untie(net)
    model.attach({"1": prunecell.PruneCell(**STATIC)})
    assert not net[0]._forward_pre_hooks
    net(INPUTS)
