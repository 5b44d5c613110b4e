"""Loads of weights without masks into a pruned model: masks that stay, and warnings."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import prunecell
import pytest
import torch
from prunecell import formats
from prunecell.torch import dense_state_dict, keep_masks
from saved_forms import edited, in_format_1
from torch import Tensor, nn
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, assert_equal, clones, kept, masks, network, pruned, train


def odd(cell: Any) -> Any:
    """A mask that no filler would build: every other weight."""
    shape = cell.quantizer.get_pruned_masks(0).shape
    return (np.arange(np.prod(shape)) % 2 == 0).reshape(shape)


def with_own_masks(**parameters: Any) -> tuple[nn.Sequential, prunecell.torch.Model]:
    net = network()
    model = pruned(net, **parameters)
    for cell in model:
        cell.quantizer.set_pruned_masks(0, odd(cell))
    return net, model


def made_from_zeros() -> tuple[nn.Sequential, prunecell.torch.Model]:
    net = network()
    net.load_state_dict(dense_state_dict(pruned(network())))
    model = prunecell.torch.wrap(net)
    model.attach({name: prunecell.PruneCell.from_zeros() for name in model.slots})
    return net, model


def pickled(net: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(net))


def saved_whole(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def through_its_state(net: nn.Module) -> nn.Module:
    fresh = network()
    model = prunecell.torch.wrap(fresh)
    for cell, old in zip(model, prunecell.torch.wrap(net), strict=True):
        cell.quantizer = prunecell.PruneCell(**old.quantizer.parameters.as_dict())
    fresh.load_state_dict(clones(net.state_dict()))
    return fresh


def through_the_states_of_its_cells(net: nn.Module) -> nn.Module:
    fresh = network()
    model = prunecell.torch.wrap(fresh)
    for cell, old in zip(model, prunecell.torch.wrap(net), strict=True):
        cell.quantizer = prunecell.PruneCell(**old.quantizer.parameters.as_dict())
        cell.quantizer.load_state_dict(old.quantizer.state_dict())
    return fresh


WAYS: list[Callable[[Any], Any]] = [
    lambda net: net,
    copy.deepcopy,
    pickled,
    saved_whole,
    through_its_state,
    through_the_states_of_its_cells,
]
WAY_NAMES = ["as it is", *(way.__name__ for way in WAYS[1:])]
MASKS = {
    "set in place": with_own_masks,
    "set": lambda: with_own_masks(in_place=False),
    "set in Gradual": lambda: with_own_masks(**GRADUAL),
    "set over Random": lambda: with_own_masks(prune_filler="Random"),
    "zeros": made_from_zeros,
}


@pytest.mark.parametrize("way", WAYS, ids=WAY_NAMES)
@pytest.mark.parametrize("which", MASKS)
def test_masks_of_the_user_outlast_a_load_of_weights(which: str, way: Any) -> None:
    net, model = MASKS[which]()
    before = masks(model)
    net = way(net)
    model = prunecell.torch.wrap(net)
    initial = network().state_dict()
    net.load_state_dict(clones(initial))  # without a warning
    for name, mask, cell in zip(("0", "3"), before, model, strict=True):
        assert not mask.all()
        assert torch.equal(kept(cell), mask)
        assert torch.equal(net.get_submodule(name).weight, initial[f"{name}.weight"] * mask)
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9), 2)
    model.check()


def test_masks_of_a_text_are_the_user_s(tmp_path: Any) -> None:
    net = network()
    (cell, *_) = pruned(net)
    (tmp_path / "mask").write_text("1 0 " * (net[0].weight.numel() // 2))
    formats.load_mask_text(cell.quantizer, tmp_path / "mask")
    before = kept(cell)
    net[0].load_state_dict(network()[0].state_dict())
    assert torch.equal(kept(cell), before)


@pytest.mark.parametrize("replace", ["reset", "state"])
def test_a_mask_that_the_rule_built_again_is_the_rule_s(replace: str) -> None:
    net, model = with_own_masks()
    if replace == "reset":
        for cell in model:
            cell.quantizer.initialize(reset=True)
    else:
        net.load_state_dict(clones(pruned(network()).state_dict()))
    initial = network()
    with pytest.warns(prunecell.PruneWarning):
        net.load_state_dict(clones(initial.state_dict()))
    assert_equal(dense_state_dict(net), dense_state_dict(pruned(initial)))


def test_a_state_from_before_masks_were_told_apart_still_loads() -> None:
    net = network()
    pruned(net)
    state = clones(net.state_dict())
    for name in ("0", "3"):
        state[f"{name}.prune_state"] = in_format_1(state[f"{name}.prune_state"], 16)
    fresh = network()
    pruned(fresh)
    fresh.load_state_dict(state)
    assert_equal(fresh.state_dict(), net.state_dict())


def test_a_state_of_a_cell_says_whose_mask_it_is() -> None:
    _net, (cell, *_) = with_own_masks()
    state = cell.quantizer.state_dict()
    assert state["tensors"][0]["custom"] is True
    state["tensors"][0]["custom"] = 7
    with pytest.raises(prunecell.InvalidType, match=r"\['custom'\]: expected True or False, got 7"):
        cell.quantizer.load_state_dict(state)


# Warnings of loads that take masks away


class Nested(nn.Module):
    """Cells on two floors."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
        self.head = nn.Linear(6, 3)


def said(load: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load()
    assert all(one.category is prunecell.PruneWarning for one in caught)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def test_a_load_that_rebuilds_masks_says_so_once_with_all_names() -> None:
    net = Nested()
    pruned(net)
    state = Nested().state_dict()
    (words,) = said(lambda: net.load_state_dict(state))
    assert "'body.0', 'body.1', 'head'" in words
    (words,) = said(lambda: net.load_state_dict(Nested().state_dict()))  # at each load anew
    assert "keep_masks" in words


def test_so_does_a_load_of_a_part() -> None:
    net, other = Nested(), Nested()
    pruned(net)
    (words,) = said(lambda: net.body.load_state_dict(other.body.state_dict()))
    assert "'body.0', 'body.1' " in words
    (words,) = said(lambda: net.head.load_state_dict(other.head.state_dict()))
    assert "cells 'head' are" in words


def test_so_does_a_layer_of_several_cells() -> None:
    layer = nn.GRU(4, 4)
    pruned(layer)
    (words,) = said(lambda: layer.load_state_dict(nn.GRU(4, 4).state_dict()))
    assert "'weight_ih_l0', 'weight_hh_l0' " in words


def test_so_does_a_load_of_models_that_were_wrapped_apart() -> None:
    both = nn.ModuleList([Nested(), Nested()])
    for net in both:
        pruned(net)
    state = nn.ModuleList([Nested(), Nested()]).state_dict()
    assert len(said(lambda: both.load_state_dict(state))) == 2  # neither knows of the other


def test_nothing_is_said_where_masks_stay_or_come() -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    net.load_state_dict(clones(net.state_dict()))
    net.load_state_dict(dense_state_dict(net))  # the same masks
    model.update(4)
    net.load_state_dict(network().state_dict())


def test_a_load_whose_warning_is_an_error_changes_nothing() -> None:
    net = network()
    pruned(net)
    before = clones(net.state_dict())
    with pytest.raises(prunecell.PruneWarning, match="'0', '3'"):
        net.load_state_dict(network().state_dict())
    assert_equal(net.state_dict(), before)


def test_a_part_loads_whole_or_not_at_all() -> None:
    net, other = Nested(), Nested()
    pruned(net)
    pruned(other)
    state = clones(other.body.state_dict())
    state["1.prune_state"] = edited(state["1.prune_state"], format=7)
    before = clones(net.state_dict())
    with pytest.raises(prunecell.InvalidArgument, match="format"):
        net.body.load_state_dict(state)
    assert_equal(net.state_dict(), before)


def test_so_does_a_part_that_gained_cells_after_its_own_was_pruned() -> None:
    net, other = (nn.Sequential(nn.MultiheadAttention(6, 2)) for _ in range(2))
    first = prunecell.torch.wrap(net, exclude="*out_proj*")
    first.attach({"0.in_proj_weight": prunecell.PruneCell(**STATIC)})
    prunecell.torch.wrap(net).attach({"0.out_proj": prunecell.PruneCell(**STATIC)})
    pruned(other)
    state = clones(other[0].state_dict())
    state["out_proj.prune_state"] = edited(state["out_proj.prune_state"], format=7)
    before = clones(net.state_dict())
    with pytest.raises(prunecell.InvalidArgument, match="format"):
        net[0].load_state_dict(state)
    assert_equal(net.state_dict(), before)


# keep_masks


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value / 2 if value.is_floating_point() else value for key, value in state.items()}


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_all_masks_are_kept_on_request(in_place: bool, assign: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    before, initial = masks(model), network().state_dict()
    with keep_masks():
        net.load_state_dict(clones(initial), assign=assign)
    for name, mask, cell in zip(("0", "3"), before, model, strict=True):
        assert torch.equal(kept(cell), mask)
        assert torch.equal(net.get_submodule(name).weight, initial[f"{name}.weight"] * mask)
        if not in_place:
            assert torch.equal(net.state_dict()[f"{name}.prune_dense"], initial[f"{name}.weight"])
    with pytest.warns(prunecell.PruneWarning):
        net.load_state_dict(network().state_dict())  # outside, the rule holds again


@pytest.mark.parametrize("in_place", [True, False])
def test_masks_and_schedule_of_a_checkpoint_are_left_where_masks_are_kept(in_place: bool) -> None:
    other = network()
    second = pruned(other, **GRADUAL | {"in_place": in_place})
    second.update(4)
    net = network()
    model = pruned(net, **GRADUAL | {"in_place": in_place})
    before, figures = masks(model), repr(model.figures())
    state = clones(other.state_dict())
    with keep_masks():
        net.load_state_dict(state)
    assert repr(model.figures()) == figures
    assert all(cell.quantizer.rises == 0 for cell in model)
    for name, mask in zip(("0", "3"), before, strict=True):
        key = f"{name}.weight" if in_place else f"{name}.prune_dense"
        assert torch.equal(net.get_submodule(name).weight, state[key] * mask)


def test_full_precision_weights_are_those_that_masks_which_are_kept_prune() -> None:
    other = network()
    pruned(other, in_place=False)
    state = clones(other.state_dict())
    net = network()
    before = masks(pruned(net))
    with keep_masks():
        net.load_state_dict(state)
    for name, mask in zip(("0", "3"), before, strict=True):
        weight = net.get_submodule(name).weight
        assert torch.equal(weight, state[f"{name}.prune_dense"] * mask)


def test_full_precision_weights_that_do_not_fit_are_refused_where_masks_are_kept() -> None:
    net = network()
    pruned(net, in_place=False)
    before = clones(net.state_dict())
    state = clones(before) | {"3.prune_dense": torch.ones(2, 2)}
    with keep_masks(), pytest.raises(prunecell.InvalidArgument, match=r"3\.prune_dense: expected"):
        net.load_state_dict(half(state) | {"3.prune_dense": torch.ones(2, 2)})
    assert_equal(net.state_dict(), before)


def test_static_without_threshold_has_no_zeros_to_keep_at_first() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    model.attach({name: prunecell.PruneCell.from_zeros() for name in model.slots})
    sparse = dense_state_dict(pruned(network(), **STATIC))
    net.load_state_dict(sparse)
    for name in ("0", "3"):
        assert model.figures()[name].zeros == int((sparse[f"{name}.weight"] == 0).sum()) > 0
