"""Models whose weights have no values for a while, or some of a dtype that is not pruned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from torch.optim import SGD
from torch_axes import (
    GRADUAL,
    assert_equal,
    backward,
    clones,
    images,
    kept,
    masks,
    network,
    pruned,
    takes_masks,
    train,
)

Call = Callable[[prunecell.torch.Model], Any]


def step(model: prunecell.torch.Model) -> None:
    train(model.module, SGD(model.parameters(), lr=0.1, momentum=0.9), 2, images().to("meta"))


CALLS: dict[str, Call] = {
    "forward": lambda model: model(images().to("meta")),
    "step": step,
    "state_dict": lambda model: model.state_dict(),
    "copy": lambda model: copy.deepcopy(model.module),
    "check": lambda model: model.check(),
    "apply_masks": lambda model: model.apply_masks(),
    "compress": prunecell.torch.compress,
}


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_there_is_nothing_to_mask_on_the_meta_device(call: str, in_place: bool) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    before, figures = clones(net.state_dict()), repr(model.figures())
    net.to("meta")
    CALLS[call](model)
    with pytest.raises(prunecell.WrongState, match=r"'0'.*got a meta one; materialize it"):
        model.update(4)
    net.to_empty(device="cpu")
    net.load_state_dict(before)
    assert_equal(net.state_dict(), before)
    assert repr(model.figures()) == figures
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9), 2)
    model.update(4)
    model.check()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_pruned_checkpoint_gives_a_meta_model_its_values(in_place: bool) -> None:
    net = network()
    pruned(net, **GRADUAL, in_place=in_place)
    before = clones(net.state_dict())
    net.to("meta")
    net.load_state_dict(clones(before), assign=True)
    assert_equal(net.state_dict(), before)


@takes_masks
@pytest.mark.parametrize("in_place", [True, False])
def test_a_dense_checkpoint_of_a_meta_model_is_pruned_anew(in_place: bool) -> None:
    net, other = network(), network()
    given = clones(other.state_dict())
    model, expected = pruned(net, in_place=in_place), pruned(other, in_place=in_place)
    net.to("meta")
    net.load_state_dict(given, assign=True)
    assert_equal(net.state_dict(), other.state_dict())
    for ours, theirs in zip(masks(model), masks(expected), strict=True):
        assert torch.equal(ours, theirs)
    backward(net)
    assert not net[3].weight.grad[~kept(model.cells[1])].any()


def test_taking_the_quantizer_off_works_without_values() -> None:
    net = network()
    model = pruned(net)
    net.to("meta")
    model.detach()
    assert not net[0]._forward_pre_hooks


@takes_masks
def test_packed_weights_may_lose_their_values_too() -> None:
    net = network()
    model = pruned(net, threshold=0.9)
    assert prunecell.torch.compress(net)
    net.to("meta")
    with torch.no_grad():
        assert net(images().to("meta")).is_meta
    assert net.state_dict()["3.weight"].is_meta
    prunecell.torch.decompress(net)
    assert net[3].weight.is_meta
    assert net[3].weight.requires_grad
    net.load_state_dict(network().state_dict(), assign=True)
    model.check()
    assert (net[3].weight == 0).sum() == 288


ODD: list[Any] = [torch.complex64, torch.float8_e4m3fn]

REFUSED: dict[str, Call] = CALLS | {
    "forward": lambda model: model.get_submodule("0")(images()),
    "step": lambda model: model.update(4),
}
del REFUSED["check"]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("call", REFUSED)
@pytest.mark.parametrize("dtype", ODD)
def test_a_dtype_that_is_not_pruned_is_named_until_it_is_cast_back(
    dtype: Any, call: str, in_place: bool
) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    for layer in (net[0], net[3]):
        layer._apply(lambda tensor: tensor.to(dtype))  # `to` warns about complex tensors
    with pytest.raises(prunecell.InvalidType, match=rf"cell '0': expected a weight of .*{dtype}"):
        REFUSED[call](model)
    net._apply(lambda tensor: (tensor.real.contiguous() if tensor.is_complex() else tensor).float())
    model.update(4)
    model.check()


@pytest.mark.parametrize("bring", ["everything", "weights"])
@pytest.mark.parametrize("dtype", [*ODD, torch.int8])
def test_a_load_that_would_assign_such_a_dtype_changes_nothing(dtype: Any, bring: str) -> None:
    net = network()
    pruned(net, in_place=False)
    before = clones(net.state_dict())
    given = {
        key: value + 1 if key == "0.bias" else value
        for key, value in before.items()
        if bring == "everything" or "prune" not in key
    }
    given["3.weight"] = given["3.weight"].to(dtype)
    for part, its in ((net, given), (net[3], {k[2:]: given[k] for k in given if k[0] == "3"})):
        with pytest.raises(prunecell.InvalidType, match=rf"weight: expected .* got {dtype}"):
            part.load_state_dict(its, assign=True)
        assert_equal(net.state_dict(), before)


@takes_masks
def test_values_of_such_a_dtype_may_be_copied() -> None:
    net = network()
    model = pruned(net)
    given = clones(network().state_dict())
    given["3.weight"] = given["3.weight"].to(torch.float8_e4m3fn)
    net.load_state_dict(given)
    model.check()
    assert torch.equal(
        net[3].weight, torch.where(kept(model.cells[1]), given["3.weight"].float(), 0)
    )
