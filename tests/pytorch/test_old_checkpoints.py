"""State_dicts of models that earlier versions wrote load for ever."""

from __future__ import annotations

from typing import Any

import old_states
import prunecell
import pytest
import torch
from old_states import EXPECTED, FOLDER, described
from torch import Tensor
from torch_axes import network

pytestmark = pytest.mark.filterwarnings("ignore:all weights w")  # that tie


def state_in(name: str) -> dict[str, Tensor]:
    if name.endswith(".safetensors"):
        return prunecell.load(FOLDER / name, framework="torch")
    return torch.load(FOLDER / name, weights_only=True)


def fresh(expected: dict[str, Any]) -> tuple[torch.nn.Sequential, prunecell.torch.Model]:
    net = network()
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**expected[cell.name]["parameters"])
    return net, model


@pytest.mark.parametrize("name", old_states.names("model"))
def test_a_checkpoint_loads(name: str) -> None:
    expected, state = EXPECTED[name], state_in(name)
    net, model = fresh(expected)
    net.load_state_dict(state)
    assert {cell.name: described(cell.quantizer) for cell in model} == expected
    for key, value in net.state_dict().items():
        if not key.endswith("prune_state"):
            assert torch.equal(value, state[key]), key


@pytest.mark.parametrize("name", old_states.names("model"))
def test_a_plain_model_takes_the_weights_of_a_checkpoint(name: str) -> None:
    state = state_in(name)
    plain = prunecell.torch.without_pruning_state(state)
    assert list(plain) == [key for key in state if "prune" not in key]
    network().load_state_dict(plain)
