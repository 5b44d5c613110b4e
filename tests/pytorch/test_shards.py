"""A checkpoint in several files, loaded one after the other."""

from __future__ import annotations

import itertools
from typing import Any

import prunecell
import pytest
import torch
from prunecell.torch import keep_masks, sharded_load
from torch import Tensor, nn
from torch_axes import GRADUAL, assert_equal, clones, masks, network, pruned

State = dict[str, Tensor]


def trained(**parameters: Any) -> tuple[nn.Module, prunecell.torch.Model]:
    net = network()
    model = pruned(net, **(GRADUAL | parameters))
    for _ in range(2):
        model.update(4)
    return net, model


def load(net: nn.Module, files: list[State], **options: Any) -> None:
    with sharded_load():
        for file in files:
            net.load_state_dict(file, strict=False, **options)


def one_by_one(state: State) -> list[State]:
    return [{key: value} for key, value in state.items()]


@pytest.mark.parametrize("filler", ["IterNonStruct", "Random"])
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("driven", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_files_end_with_what_the_whole_ends_with(
    assign: bool, driven: bool, in_place: bool, filler: str
) -> None:
    parameters = {"prune_filler": filler, "in_place": in_place}
    net, model = trained(**parameters)
    state = clones(net.state_dict())
    for order in (1, -1):
        files = one_by_one(clones(state))[::order]
        fresh = network()
        second = pruned(fresh, **GRADUAL | parameters)
        if driven:
            for _ in range(3):
                second.update(4)
        load(fresh, files, assign=assign)
        assert_equal(fresh.state_dict(), state)
        assert repr(second.figures()) == repr(model.figures())
        second.update(4)
        second.check()


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_file_may_end_at_any_key(cut: int) -> None:
    net, _ = trained(in_place=False)
    items = list(clones(net.state_dict()).items())
    assert len(items) == 10
    fresh, _ = trained(in_place=False, seed=0)
    load(fresh, [dict(items[:cut]), dict(items[cut:])])
    assert_equal(fresh.state_dict(), net.state_dict())


def test_the_parts_of_a_cell_may_come_in_any_order() -> None:
    layer = nn.Linear(9, 5)
    model = pruned(layer, **GRADUAL | {"in_place": False})
    model.update(4)
    state = clones(layer.state_dict())
    for files in itertools.permutations(one_by_one(state)):
        fresh = nn.Linear(9, 5)
        pruned(fresh, **GRADUAL | {"in_place": False})
        load(fresh, list(files))
        assert_equal(fresh.state_dict(), state)


def test_a_cell_that_is_whole_is_loaded_at_once() -> None:
    net, _ = trained()
    fresh, _ = trained()
    state = clones(net.state_dict())
    first = {key: value for key, value in state.items() if key.startswith("0.")}
    with sharded_load():
        fresh.load_state_dict(first, strict=False)
        assert torch.equal(fresh[0].weight, net[0].weight)
        rest = {key: value for key, value in state.items() if key not in first}
        fresh.load_state_dict(rest, strict=False)
    assert_equal(fresh.state_dict(), state)


def test_weights_without_masks_are_loaded_in_the_end_as_a_whole() -> None:
    net = network()
    pruned(net)
    initial = network()
    files = one_by_one(clones(initial.state_dict()))
    with pytest.warns(prunecell.PruneWarning, match="'0', '3' ") as caught:
        load(net, files)
    assert [one.filename for one in caught] == [__file__]
    pruned(initial)
    assert_equal(net.state_dict(), initial.state_dict())


def test_what_is_left_in_the_end_is_assigned_if_the_files_were() -> None:
    net, _ = trained()
    state = clones(network().state_dict())
    load(net, one_by_one(state), assign=True)
    assert net[3].weight.data_ptr() == state["3.weight"].data_ptr()


def test_masks_are_kept_in_whatever_order_it_is_asked_for() -> None:
    net = network()
    model = pruned(net)
    before = masks(model)
    with sharded_load(), keep_masks():
        for file in one_by_one(clones(network().state_dict())):
            net.load_state_dict(file, strict=False)
    for old, new in zip(before, masks(model), strict=True):
        assert torch.equal(old, new)


def test_a_mask_whose_weight_never_comes_is_refused_and_changes_nothing() -> None:
    net, _ = trained()
    fresh, _ = trained()
    before = clones(fresh.state_dict())
    state = net.state_dict()
    files = [{key: state[key]} for key in ("0.weight", "3.prune_state", "3.prune_mask")]
    with pytest.raises(prunecell.InvalidArgument, match=r"^3\.weight: expected the weights of"):
        load(fresh, files)
    assert_equal(fresh.state_dict(), before)


@pytest.mark.parametrize("end", ["prune_mask", "prune_state", "prune_dense"])
def test_without_it_a_file_with_part_of_a_cell_is_refused_by_name(end: str) -> None:
    net, _ = trained(in_place=False)
    fresh, _ = trained(in_place=False)
    before = clones(fresh.state_dict())
    file = {f"3.{end}": net.state_dict()[f"3.{end}"]}
    with pytest.raises(prunecell.InvalidArgument, match=rf"3\.{end}.*sharded_load"):
        fresh.load_state_dict(file, strict=False)
    assert_equal(fresh.state_dict(), before)


@pytest.mark.parametrize("missing", [None, "head.weight", "table.weight"])
@pytest.mark.parametrize("embeddings", [True, False])
def test_a_shared_weight_may_come_in_another_file_than_its_mask(
    embeddings: bool, missing: str | None
) -> None:
    def tied() -> tuple[nn.ModuleDict, prunecell.torch.Model]:
        net = nn.ModuleDict({"table": nn.Embedding(12, 6), "head": nn.Linear(6, 12)})
        net["head"].weight = net["table"].weight
        model = prunecell.torch.wrap(net, embeddings=embeddings, include="head")
        model.attach({name: prunecell.PruneCell(**GRADUAL) for name in model.slots})
        return net, model

    net, model = tied()
    model.update(4)
    state = clones(net.state_dict())
    fresh, second = tied()
    load(fresh, one_by_one({key: value for key, value in state.items() if key != missing}))
    assert_equal(fresh.state_dict(), state)
    second.check()


def test_a_part_of_a_model_comes_in_files_too() -> None:
    net, _ = trained()
    fresh, second = trained()
    load(fresh[3], one_by_one(clones(net[3].state_dict())))
    assert_equal(fresh[3].state_dict(), net[3].state_dict())
    second.check()


def test_a_model_of_wrapped_parts_comes_in_files_too() -> None:
    both, fresh = (nn.ModuleList([trained()[0], trained()[0]]) for _ in range(2))
    load(fresh, one_by_one(clones(both.state_dict())))
    assert_equal(fresh.state_dict(), both.state_dict())
