"""A state_dict of a pruned model for a plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from prunecell.torch import dense_state_dict, without_pruning_state
from torch import nn
from torch_axes import GRADUAL, assert_equal, clones, network, pruned


class Experts(nn.Module):
    """A tensor of three dimensions, and a layer whose name ends like a key of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(3, 4, 5))
        self.my_prune_mask = nn.Linear(9, 3)
        self.norm = nn.BatchNorm1d(3)


MODELS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "network": (network, ()),
    "nested": (lambda: nn.Sequential(network(), nn.ModuleDict({"a": network()})), ()),
    "attention": (lambda: nn.Sequential(nn.MultiheadAttention(6, 2)), ()),
    "recurrent": (lambda: nn.LSTM(4, 3, 2), ()),
    "experts": (Experts, ["up"]),
    "one layer": (lambda: nn.Linear(9, 5), ()),
    "half": (lambda: nn.Linear(9, 5).to(torch.bfloat16), ()),
}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"in_place": False}, GRADUAL, {"prune_mode": "Identity"}],
    ids=["static", "not in place", "gradual", "identity"],
)
@pytest.mark.parametrize("which", MODELS)
def test_it_loads_strictly_into_a_plain_model(which: str, parameters: Any) -> None:
    make, include = MODELS[which]
    net = make()
    model = prunecell.torch.wrap(net, include=include)
    model.attach({name: prunecell.PruneCell(**parameters) for name in model.slots})
    given = net.state_dict()
    before = dict(given)
    state = without_pruning_state(given)
    assert_equal(dict(given), before)
    plain = make()
    plain.load_state_dict(state)
    assert_equal(plain.state_dict(), dense_state_dict(net))
    assert without_pruning_state(state) == state


def test_it_takes_a_prefix_and_what_a_file_gives() -> None:
    net = network()
    pruned(net, in_place=False)
    given = {f"model.net.{key}": value for key, value in net.state_dict().items()}
    state = without_pruning_state(given)
    assert list(state) == [f"model.net.{key}" for key in network().state_dict()]
    assert all(state[key] is given[key] for key in state)


class Itself(nn.Module):
    """A model that prunes itself when it is built, like a LightningModule."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        self.model = pruned(self, **GRADUAL)


def test_a_module_that_prunes_itself_when_it_is_built_loads_everything() -> None:
    trained = Itself()
    trained.model.update(4)
    state = clones(trained.state_dict())
    fresh = Itself()
    fresh.load_state_dict(state)
    assert_equal(fresh.state_dict(), state)
    assert [cell.quantizer.rises for cell in fresh.model] == [1, 1]


def test_versions_of_modules_stay() -> None:
    net = Experts()
    pruned(net)
    given = net.state_dict()
    assert without_pruning_state(given)._metadata == given._metadata  # type: ignore[attr-defined]


def test_a_shared_weight_may_be_there_under_another_name() -> None:
    net = nn.ModuleDict({"table": nn.Embedding(12, 6), "head": nn.Linear(6, 12, bias=False)})
    net["head"].weight = net["table"].weight
    pruned(net)
    given = clones(net.state_dict())
    del given["head.weight"]
    assert list(without_pruning_state(given)) == ["table.weight"]


def state_of_one() -> dict[str, Any]:
    net = nn.Linear(9, 5)
    pruned(net)
    return dict(net.state_dict())


STATE = "prune_state"
SIMILAR: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a mask without state": lambda own: {"a.weight": own["weight"], "a.prune_mask": own["bias"]},
    "a state of another form": lambda own: {"weight": own["weight"], STATE: torch.zeros(3)},
    "a state of other values": lambda own: {"weight": own["weight"], STATE: own[STATE] + 7},
    "a state that is no tensor": lambda own: {"weight": own["weight"], STATE: "pruned"},
    "a state without weight": lambda own: {STATE: own[STATE], "prune_mask": own["prune_mask"]},
    "a mask of another shape": lambda own: own | {"prune_mask": torch.zeros(2, 2)},
    "a weight of integers": lambda own: own | {"weight": torch.arange(45).reshape(5, 9)},
    "keys that are no words": lambda own: {1: own["weight"], None: own[STATE]},
}


@pytest.mark.parametrize("which", SIMILAR)
def test_keys_that_are_only_named_alike_stay(which: str) -> None:
    given = SIMILAR[which](state_of_one())
    assert list(without_pruning_state(given)) == list(given)


def test_full_precision_weights_that_pruning_has_not_added_stay() -> None:
    given = state_of_one() | {"prune_dense": torch.ones(5, 9)}
    assert list(without_pruning_state(given)) == ["weight", "bias", "prune_dense"]


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(prunecell.InvalidType, match="state: expected a state_dict, got 7"):
        without_pruning_state(7)  # type: ignore[arg-type]
