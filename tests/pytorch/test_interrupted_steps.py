"""A step that raises in the middle leaves pruned weights and loses no full-precision one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch_axes import assert_equal, backward, clones, kept, network, pruned


class Failing(SGD):
    """Raises when all weights have moved."""

    error: type[BaseException] = KeyError

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter, alpha=0.5)
        raise self.error


def failed(net: nn.Module, error: type[BaseException]) -> dict[str, torch.Tensor]:
    """The full-precision weights that the step left."""
    full = {k: v / 2 for k, v in clones(net.state_dict()).items() if k.endswith("dense")}
    optimizer = Failing(net.parameters(), lr=0.1)
    optimizer.error = error
    backward(net)
    with pytest.raises(error):
        optimizer.step()
    return full


LOOKS: dict[str, Callable[[Any], Any]] = {
    "state_dict": lambda net: net.state_dict(),
    "forward": lambda net: net(torch.ones(2, 3, 6, 6)),
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "detach": lambda net: prunecell.torch.wrap(net).detach(),
    "load": lambda net: net.load_state_dict({}, strict=False),
    "compress": lambda net: (prunecell.torch.compress(net), prunecell.torch.decompress(net)),
}


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("look", LOOKS)
def test_whatever_looks_next_finds_pruned_weights(look: str, error: type[BaseException]) -> None:
    net = network()
    model = pruned(net, in_place=False)
    masks = {f"{cell.name}.weight": kept(cell) for cell in model}
    full = failed(net, error)
    LOOKS[look](net)
    for name, mask in masks.items():
        assert not net.get_parameter(name)[~mask].any(), name
    if look != "detach":
        state = net.state_dict()
        for key, value in full.items():
            assert torch.equal(state[key], value), key


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_after_a_step_that_raised_is_pruned_and_whole(make_copy: Any) -> None:
    net = network()
    masks = [kept(cell) for cell in pruned(net, in_place=False)]
    full = failed(net, KeyboardInterrupt)
    copied = make_copy(net)
    for layer, mask in zip((copied[0], copied[3]), masks, strict=True):
        assert not layer.weight[~mask].any()
    state = copied.state_dict()
    assert all(torch.equal(state[key], value) for key, value in full.items())


@pytest.mark.parametrize("in_place", [True, False])
def test_a_frozen_weight_with_a_gradient_left_is_moved_where_kept_as_torch_moves_it(
    in_place: bool,
) -> None:
    net = network()
    backward(net)
    net.requires_grad_(False)
    plain = copy.deepcopy(net)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        theirs.grad = ours.grad.clone()
    model = pruned(net, in_place=in_place)
    before = net[3].weight.clone()
    for one in (net, plain):
        optimizer = SGD(one.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        optimizer.step()
        optimizer.step()
    for cell in model:
        name = f"{cell.name}.weight"
        moved = torch.where(kept(cell), plain.get_parameter(name), 0)
        assert torch.equal(net.get_parameter(name), moved)
    assert not torch.equal(net[3].weight, before)


@pytest.mark.parametrize("key", ["3.weight", "3.prune_mask", "3.prune_state", "3.prune_dense"])
def test_a_sparse_tensor_is_refused_before_any_cell_changes(key: str) -> None:
    net, other = network(), network()
    pruned(net, in_place=False)
    pruned(other, in_place=False)
    before, state = clones(net.state_dict()), clones(other.state_dict())
    state[key] = state[key].to_sparse()
    with pytest.raises(prunecell.InvalidType, match=rf"{key}: .*torch.sparse_coo"):
        net.load_state_dict(state)
    assert_equal(net.state_dict(), before)
