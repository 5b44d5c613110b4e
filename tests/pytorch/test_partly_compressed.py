"""A compressed model with weights that stay dense, since they would not become smaller."""

from __future__ import annotations

from typing import Any

import prunecell
import pytest
import torch
from torch import nn


def partly_dense(in_place: bool = True) -> tuple[nn.Sequential, prunecell.torch.Model]:
    """Layer "0" is pruned too little to shrink, "1" shrinks."""
    net = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    model = prunecell.torch.wrap(net)
    for cell, start in zip(model, (0.01, 0.9), strict=True):
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Gradual",
            prune_filler="Random",
            start=start,
            threshold=0.95,
            in_place=in_place,
        )
    return net, model


@pytest.mark.parametrize("in_place", [True, False])
def test_a_layer_that_stays_dense_has_dense_keys_while_others_are_packed(in_place: bool) -> None:
    net, model = partly_dense(in_place)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    dense = {k: v.clone() for k, v in prunecell.torch.dense_state_dict(net).items()}
    assert list(prunecell.torch.compress(net)) == ["1"]
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.bias", "1.weight"]
    assert all(torch.equal(state[key], dense[key]) for key in dense)

    plain = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    plain.load_state_dict(state)
    inputs = torch.randn(3, 16)
    with torch.no_grad():
        assert torch.equal(plain(inputs), net(inputs))
    other, second = partly_dense(in_place)
    other.load_state_dict(state)  # masks are drawn anew: the seed and the names are the same
    assert repr(second.figures()) == repr(model.figures())

    prunecell.torch.decompress(net)
    for one in (net, other):
        one.load_state_dict(before)
        after = one.state_dict()
        assert set(after) == set(before)
        assert all(torch.equal(after[key], before[key]) for key in before)
    model.end_epoch()
    assert model.figures()["0"].asked > 0.01


def test_a_model_of_which_nothing_was_packed_is_not_compressed() -> None:
    net, model = partly_dense()
    model.cells[1].quantizer = None
    with torch.no_grad():
        net[1].weight.fill_(1)
    assert prunecell.torch.compress(net) == {}
    assert "0.prune_mask" in net.state_dict()
    model.end_epoch()
    net.load_state_dict(net.state_dict())


LOADS: dict[str, Any] = {
    "whole": lambda net, given: net.load_state_dict(given, strict=False),
    "inside another": lambda net, given: nn.ModuleDict({"net": net}).load_state_dict(
        {f"net.{key}": value for key, value in given.items()}
    ),
    "the dense layer": lambda net, given: net[0].load_state_dict(
        {"weight": given["0.weight"], "bias": given["0.bias"]}
    ),
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("first_is_pruned", [True, False])
def test_a_load_is_refused_before_a_layer_that_stays_dense_changes(
    load: str, first_is_pruned: bool
) -> None:
    net, model = partly_dense()
    if not first_is_pruned:
        if load == "the dense layer":
            pytest.skip("it is an ordinary layer")
        model.cells[0].quantizer = None
    given = {k: torch.ones_like(v) for k, v in prunecell.torch.dense_state_dict(net).items()}
    prunecell.torch.compress(net)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(prunecell.WrongState, match="a compressed model cannot load weights"):
        LOADS[load](net, given)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_quantizer_of_a_layer_that_stays_dense_rests_too() -> None:
    net, model = partly_dense()
    first, one = model.cells[0], model.cells[0].quantizer
    prunecell.torch.compress(net)
    net[0](torch.ones(1, 16)).sum().backward()
    torch.optim.SGD(net[0].parameters(), lr=0.1).step()
    for call in (
        lambda: prunecell.torch.wrap(net[0]).update(1),  # the step has left nothing to mask
        one.end_epoch,
        lambda: prunecell.torch.wrap(net[0]).end_epoch(),
        lambda: setattr(first, "quantizer", None),
    ):
        with pytest.raises(prunecell.WrongState, match="compressed, decompress it first"):
            call()
    prunecell.torch.decompress(net)
    one.end_epoch()
    first.quantizer = None
