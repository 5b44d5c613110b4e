"""`Model.rewind`: the weights of another time under the masks in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch_axes import GRADUAL, assert_equal, clones, masks, network, pruned, train

CELLS = (("0", 0), ("3", 3))


def net_with_buffers() -> nn.Sequential:
    return nn.Sequential(*network(), nn.BatchNorm1d(5))


def ticket(**parameters: Any) -> tuple[nn.Sequential, prunecell.torch.Model, dict[str, Tensor]]:
    """A trained and pruned model, and its state before training."""
    net = net_with_buffers()
    initial = clones(net.state_dict())
    train(net, SGD(net.parameters(), lr=0.1), 2)
    model = pruned(net, **(GRADUAL | parameters))
    model.update(4)
    return net, model, initial


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("driven", [True, False])
def test_initial_weights_get_the_masks_in_force(driven: bool, in_place: bool) -> None:
    net, model, initial = ticket(in_place=in_place)
    if not driven:
        model = pruned(net, in_place=in_place)
    before, figures = masks(model), repr(model.figures())
    model.rewind(clones(initial))
    assert repr(model.figures()) == figures
    state = net.state_dict()
    for (name, _), mask, old in zip(CELLS, masks(model), before, strict=True):
        assert torch.equal(mask, old)
        assert torch.equal(state[f"{name}.weight"], initial[f"{name}.weight"] * mask)
        if not in_place:
            assert torch.equal(state[f"{name}.prune_dense"], initial[f"{name}.weight"])
    for key, value in initial.items():
        if key not in {"0.weight", "3.weight"}:
            assert torch.equal(state[key], value), key


def test_the_schedule_goes_on_from_where_it_was() -> None:
    _, model, initial = ticket()
    model.rewind(initial)
    assert [cell.quantizer.rises for cell in model] == [1, 1]
    model.update(4)
    assert all(f.asked == pytest.approx(0.6) for f in model.figures().values())


@pytest.mark.parametrize("saved_in_place", [True, False])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_state_from_after_pruning_brings_its_weights_alone(
    in_place: bool, saved_in_place: bool
) -> None:
    net, _, _ = ticket(in_place=saved_in_place)
    state = clones(net.state_dict())
    other, model, _ = ticket(in_place=in_place)
    model.update(4)
    before = masks(model)
    model.rewind(state)
    part = "weight" if saved_in_place else "prune_dense"
    for (name, index), mask, old in zip(CELLS, masks(model), before, strict=True):
        assert torch.equal(mask, old)
        assert torch.equal(other[index].weight, state[f"{name}.{part}"] * mask)


def test_a_model_without_quantizers_gets_the_weights() -> None:
    net, model, initial = ticket()
    model.detach()
    model.rewind(initial)
    assert_equal(net.state_dict(), initial)


@pytest.mark.parametrize("missing", ["head.weight", "table.weight"])
def test_a_shared_weight_may_have_one_name(missing: str) -> None:
    net = nn.ModuleDict({"table": nn.Embedding(12, 6), "head": nn.Linear(6, 12)})
    net["head"].weight = net["table"].weight
    initial = clones(net.state_dict())
    weight = initial.pop(missing)
    model = pruned(net)
    (mask, _) = masks(model)
    model.rewind({key: -value for key, value in initial.items()})
    assert torch.equal(net["head"].weight, -weight * mask)
    model.check()


Change = Callable[[dict[str, Any]], Any]
MISFITS: dict[str, tuple[Change, str]] = {
    "missing": (lambda state: state.pop("3.weight"), r"missing keys: 3\.weight"),
    "missing buffer": (lambda state: state.pop("4.running_mean"), r"missing keys: 4\.running_mean"),
    "unknown": (
        lambda state: state.update({"9.weight": state["3.weight"]}),
        r"unknown .*9\.weight",
    ),
    "many": (lambda state: [state.update({f"a{i}": 1}) for i in range(7)], "a0, a1, .* and 2 more"),
    "shape": (
        lambda state: state.update({"4.bias": torch.ones(3)}),
        r"4\.bias: expected a tensor of shape \(5,\), got one of shape \(3,\)",
    ),
    "no tensor": (lambda state: state.update({"4.bias": 7}), r"4\.bias: .*got 7 of type int"),
    "meta": (
        lambda state: state.update({"4.bias": torch.ones(5, device="meta")}),
        r"4\.bias: .*without values",
    ),
    "sparse": (
        lambda state: state.update({"4.bias": torch.ones(5).to_sparse()}),
        r"4\.bias: .*layout torch\.sparse_coo",
    ),
}


@pytest.mark.parametrize("which", MISFITS)
def test_a_state_that_does_not_fit_changes_nothing(which: str) -> None:
    net, model, initial = ticket(in_place=False)
    before = clones(net.state_dict())
    change, words = MISFITS[which]
    change(initial)
    with pytest.raises(prunecell.InvalidArgument, match=words):
        model.rewind(initial)
    assert_equal(net.state_dict(), before)


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(prunecell.InvalidType, match="expected a state_dict"):
        ticket()[1].rewind(None)  # type: ignore[arg-type]


def test_a_compressed_model_is_refused() -> None:
    net = nn.Linear(200, 200)
    model = pruned(net, threshold=0.9)
    initial = clones(nn.Linear(200, 200).state_dict())
    prunecell.torch.compress(net)
    with pytest.raises(prunecell.WrongState, match="compressed"):
        model.rewind(initial)
