"""What is found once and remembered between steps is found again when it is another."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from itertools import pairwise
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, backward, kept, pruned


def linear(*sizes: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))


def momentum(parameters: Any) -> SGD:
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01)


def step(net: nn.Module, optimizer: SGD) -> None:
    """A step in which every weight is driven, by momentum and by a gradient of its own."""
    optimizer.zero_grad()
    net(torch.randn(8, 6)).square().sum().backward()
    optimizer.step()


def driven(optimizer: SGD, weight: Tensor) -> None:
    """A step with a gradient that no hook has seen."""
    weight.grad = torch.ones_like(weight)
    optimizer.step()


def test_parameters_that_an_optimizer_gets_later() -> None:
    net = linear(6, 5, 4)
    model = pruned(net)
    optimizer = momentum(net[0].parameters())
    step(net, optimizer)
    optimizer.add_param_group({"params": list(net[1].parameters())})
    driven(optimizer, net[1].weight)
    model.check()


def test_a_parameter_in_the_place_of_another() -> None:
    net = linear(6, 5, 4)
    model = pruned(net)
    optimizer = momentum([net[0].weight])
    step(net, optimizer)
    optimizer.param_groups[0]["params"][0] = net[1].weight
    driven(optimizer, net[1].weight)
    model.check()


def test_a_quantizer_put_on_between_two_steps() -> None:
    net = linear(6, 5, 4)
    model = prunecell.torch.wrap(net)
    optimizer = momentum(net.parameters())
    step(net, optimizer)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**STATIC)
    driven(optimizer, net[1].weight)
    model.check()


def test_a_weight_that_begins_to_learn_and_stops() -> None:
    net = linear(6, 5, 4)
    net[0].weight.requires_grad_(False)
    model = pruned(net)
    optimizer = momentum(net.parameters())
    for learns in (False, True, False, True):
        net[0].weight.requires_grad_(learns)
        step(net, optimizer)
        if net[0].weight.grad is not None:
            assert not net[0].weight.grad[~kept(model.cells[0])].any()
        driven(optimizer, net[0].weight)
        model.check()


@pytest.mark.parametrize("where", ["in the model", "in a container", "in a leaf"])
def test_a_pruned_layer_that_is_moved_into_a_model(where: str) -> None:
    layer = nn.Sequential(nn.Linear(6, 4))
    own = prunecell.torch.wrap(layer)
    own.cells[0].quantizer = prunecell.PruneCell(**GRADUAL)
    net = nn.Sequential(nn.Sequential(nn.Linear(6, 6), nn.ReLU()), nn.Linear(6, 5))
    model = pruned(net, **GRADUAL)
    for _ in range(2):
        model.update(1)
    target = {"in the model": net, "in a container": net[0], "in a leaf": net[0][1]}[where]
    target.add_module("moved", layer)
    model.update(4)
    quantizer = own.cells[0].quantizer
    assert quantizer is not None
    assert quantizer.rises == 1


def test_a_module_at_the_address_of_one_that_is_gone() -> None:
    layer = nn.Sequential(nn.Linear(6, 4))
    own = prunecell.torch.wrap(layer)
    own.cells[0].quantizer = prunecell.PruneCell(**GRADUAL)
    net = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    model = pruned(net, **GRADUAL)
    model.update(1)
    address = id(net[1])
    net._modules.pop("1")
    others = [nn.Sequential() for _ in range(1000)]
    again = [one for one in others if id(one) == address]
    if not again:
        pytest.skip("the memory of the module went elsewhere")
    again[0].add_module("moved", layer)
    net.add_module("1", again[0])
    model.update(4)
    quantizer = own.cells[0].quantizer
    assert quantizer is not None
    assert quantizer.rises == 1


def test_a_layer_exchanged_for_another_pruned_layer() -> None:
    net, others = linear(6, 5, 5), linear(5, 5)
    model, other = pruned(net, **GRADUAL), pruned(others, **GRADUAL)
    model.update(1)
    net[1] = others[0]
    with pytest.warns(prunecell.PruneWarning, match="cell '1': it was pruned, and its layer was"):
        model.update(4)
    quantizer = other.cells[0].quantizer
    assert quantizer is not None
    assert quantizer.rises == 1


def test_nothing_that_was_found_is_kept_alive() -> None:
    net = linear(6, 5, 4)
    model = pruned(net, **GRADUAL)
    optimizer = momentum(net.parameters())
    step(net, optimizer)
    model.update(1)
    layer, weight = weakref.ref(net[1]), weakref.ref(net[1].weight)
    del net[1]
    gc.collect()
    assert layer() is None
    optimizer.param_groups[0]["params"] = list(net.parameters())
    optimizer.state.clear()
    gc.collect()
    assert weight() is None


def test_what_was_found_is_not_copied_with_the_optimizer() -> None:
    net = linear(6, 5)
    pruned(net)
    optimizer = momentum(net.parameters())
    step(net, optimizer)
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert not [name for name in vars(twin) if "prunecell" in name]
    assert not [name for name in optimizer.state_dict() if "prunecell" in name]


def test_momentum_in_the_place_of_that_which_was_masked() -> None:
    net = linear(6, 5)
    model = pruned(net)
    optimizer = momentum(net.parameters())
    step(net, optimizer)
    moved = optimizer.state[net[0].weight]
    moved["momentum_buffer"] = torch.ones_like(net[0].weight)
    optimizer.param_groups[0]["lr"] = 0.0  # no weight moves, so that none tells
    step(net, optimizer)
    assert not moved["momentum_buffer"][~kept(model.cells[0])].any()


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_gradients_of_graphs_are_masked_and_told_to_autograd() -> None:
    net = linear(6, 5)
    model = pruned(net)
    loss = net(torch.randn(3, 6)).square().sum()
    loss.backward(create_graph=True)
    gradient = net[0].weight.grad
    assert gradient is not None
    assert gradient.requires_grad
    assert not gradient[~kept(model.cells[0])].any()
    assert gradient._version > 0


def test_a_mask_that_is_exchanged_masks_the_next_gradient() -> None:
    net = linear(6, 5)
    model = pruned(net)
    backward(net, torch.randn(3, 6))
    model.cells[0].quantizer = None
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[0] = True
    quantizer = prunecell.PruneCell(prune_mode="Static", prune_filler="None")
    model.cells[0].quantizer = quantizer
    quantizer.set_pruned_masks(0, mask.numpy())
    net.zero_grad()
    backward(net, torch.randn(3, 6))
    assert net[0].weight.grad is not None
    assert torch.equal(net[0].weight.grad != 0, mask)


def test_an_average_whose_model_gets_another_quantizer() -> None:
    net = linear(6, 5)
    model = pruned(net)
    average = copy.deepcopy(net)
    follower = prunecell.torch.wrap(average)
    follower.follow(model)
    backward(average, torch.randn(3, 6))
    model.cells[0].quantizer = prunecell.PruneCell(**(STATIC | {"threshold": 0.9}))
    average.zero_grad()
    backward(average, torch.randn(3, 6))
    assert average[0].weight.grad is not None
    assert not average[0].weight.grad[~kept(model.cells[0])].any()
