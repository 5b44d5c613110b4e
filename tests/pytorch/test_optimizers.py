"""Steps, accumulation and clipping bring no pruned weight back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch_axes import (
    GRADUAL,
    OPTIMIZERS,
    MakeOptimizer,
    backward,
    images,
    kept,
    masks,
    network,
    pruned,
    train,
)


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 3))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_nothing_is_revived_in_1000_steps(make: MakeOptimizer) -> None:
    net = small_network()
    optimizer = make(net.parameters())
    inputs = torch.randn(4, 6)
    train(net, optimizer, 3, inputs)  # optimizer state that wants to move every weight
    model = pruned(net)
    before = net[0].weight.detach().clone()
    for _ in range(1000):
        train(net, optimizer, 1, inputs)
        for cell, layer in zip(model, (net[0], net[2]), strict=True):
            assert not layer.weight.detach()[~kept(cell)].any()
    model.check()
    assert not torch.equal(net[0].weight, before)
    for state in optimizer.state.values():
        for name, value in state.items():
            if torch.is_tensor(value) and value.shape == net[0].weight.shape:
                assert not value[~kept(model.cells[0])].any(), name


def test_capturable_is_for_torch_to_refuse_on_the_cpu_and_harmless_otherwise() -> None:
    net = network()
    model = pruned(net)
    backward(net)
    with pytest.raises(AssertionError, match="capturable"):
        Adam(net.parameters(), capturable=True).step()
    optimizer = Adam(net.parameters(), lr=0.1, capturable=True)
    for group in optimizer.param_groups:
        group["capturable"] = False  # its step counters are tensors on the device all the same
    train(net, optimizer, 3)
    model.check()


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_weights_stay_pruned_whenever_the_quantizer_came(when: str) -> None:
    net = network()
    optimizer = Adam(net.parameters(), lr=0.01, weight_decay=0.1)
    if when == "before":
        model = pruned(net)
        train(net, optimizer, 5)
    elif when == "during":
        optimizer.zero_grad()
        loss = net(images()).square().mean()
        model = pruned(net)  # between a forward and its step: gradients are there, and not masked
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()  # autograd notices that the weights of this graph are others now
        train(net, optimizer, 1)
        model.detach()
        backward(net)
        model = pruned(net)
        optimizer.step()
    else:
        train(net, optimizer, 5)
        model = pruned(net)
    model.check()
    assert net[3].weight.eq(0).sum() == 160


def test_parameter_groups_and_several_optimizers_are_all_seen() -> None:
    net = network()
    model = pruned(net)
    grouped = SGD(
        [
            {"params": [net[0].weight], "momentum": 0.9},
            {"params": [net[0].bias, net[3].bias], "weight_decay": 0},
        ],
        lr=0.1,
        weight_decay=0.1,
    )
    single = Adam([net[3].weight], lr=0.1)
    for _ in range(3):
        grouped.zero_grad()
        single.zero_grad()
        backward(net)
        grouped.step()
        single.step()
        model.check()


def test_a_parameter_group_added_later_is_seen() -> None:
    net = network()
    model = pruned(net)
    optimizer = SGD([net[0].weight], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": [net[3].weight], "lr": 0.2, "weight_decay": 0.1})
    train(net, optimizer, 3)
    model.check()


class Nested(SGD):
    """Calls a step that is hooked, too, and moves weights after it."""

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.add_(0.01)
        return loss


@pytest.mark.parametrize("in_place", [True, False])
def test_a_step_within_a_step_revives_nothing_and_counts_nothing(in_place: bool) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    SGD(net.parameters())  # torch then hooks the step of the base class as well
    optimizer = Nested(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(10):
        train(net, optimizer, 1)
        model.check()
    assert [cell.quantizer.rises for cell in model] == [0, 0]
    assert [cell.quantizer.state_dict()["counter"] for cell in model] == [0, 0]


class Foreign:
    """An optimizer that torch.optim does not know, stepping through `.data`."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def step(self) -> None:
        for parameter in self.net.parameters():
            parameter.data.add_(0.1)


def test_an_optimizer_outside_torch_is_found_out_and_made_good() -> None:
    net = network()
    model = pruned(net)
    Foreign(net).step()
    with pytest.raises(prunecell.WrongState, match=r"cell '0'.*54 in all.*apply_masks"):
        model.check()
    model.apply_masks()
    model.check()


def test_an_update_masks_what_an_optimizer_outside_torch_wrote() -> None:
    net = network()
    model = pruned(net)
    known = SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        train(net, known, 1)
        model.update(2)  # reads no weights: the step has left them masked
        Foreign(net).step()
        model.update(2)
        model.check()


@pytest.mark.parametrize("in_place", [True, False])
def test_an_update_masks_what_was_written_after_the_step(in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    train(net, SGD(net.parameters(), lr=0.1), 1)
    with torch.no_grad():
        net[3].weight += 1
    model.update(2)
    model.check()


def test_a_step_proves_a_weight_masked_for_one_update_alone() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    together = prunecell.PruneCell(prune_mode="Static", threshold=0.5)
    model.attach({cell.name: together for cell in model})
    train(net, SGD(net.parameters(), lr=0.1), 1)
    with torch.no_grad():
        net[0].weight += 1
    model.update(2)
    train(net, SGD(net[0].parameters(), lr=0.1), 1)
    net[3].weight.data.add_(0.1)
    model.update(2)
    model.check()


def test_an_update_that_only_counts_is_no_write_to_autograd() -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9), 1)
    loss = net(images()).square().mean()
    model.update(1)
    loss.backward()
    assert [cell.quantizer.state_dict()["counter"] for cell in model] == [1, 1]


def momentum(optimizer: Optimizer, weight: nn.Parameter) -> torch.Tensor:
    return optimizer.state[weight]["momentum_buffer"]


def test_state_that_is_loaded_is_masked_at_the_next_step() -> None:
    net = network()
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    train(net, optimizer, 2)
    dense = deepcopy(optimizer.state_dict())
    assert momentum(optimizer, net[3].weight).all()
    model = pruned(net)
    train(net, optimizer, 2)
    assert not momentum(optimizer, net[3].weight)[~kept(model.cells[1])].any()
    optimizer.load_state_dict(dense)
    optimizer.param_groups[0]["lr"] = 0.0  # no weight moves: the loaded state alone tells
    train(net, optimizer, 1)
    assert not momentum(optimizer, net[3].weight)[~kept(model.cells[1])].any()


def test_state_is_masked_by_the_mask_of_the_last_rise() -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    optimizer = SGD(net.parameters(), lr=0.0, momentum=0.9)
    for _ in range(4):
        train(net, optimizer, 2)
        for cell, layer in zip(model, (net[0], net[3]), strict=True):
            assert not momentum(optimizer, layer.weight)[~kept(cell)].any()
        model.update(4)
    model.cells[1].quantizer.set_pruned_masks(0, torch.zeros(5, 64, dtype=torch.bool).numpy())
    train(net, optimizer, 1)
    assert not momentum(optimizer, net[3].weight).any()


def test_state_written_by_hand_revives_nothing_and_is_masked_when_it_tries() -> None:
    net = network()
    model = pruned(net)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    train(net, optimizer, 2)
    momentum(optimizer, net[3].weight).fill_(1)
    train(net, optimizer, 1)
    model.check()
    assert not momentum(optimizer, net[3].weight)[~kept(model.cells[1])].any()


class Own(Optimizer):
    """Keeps state that is no momentum, in every type of weights."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter] = {
                "seen": torch.ones_like(parameter, dtype=torch.bool),
                "low": torch.ones_like(parameter).to(torch.float8_e4m3fn),
                "high": torch.ones_like(parameter, dtype=torch.float64),
            }
            parameter.add_(1)


def test_an_optimizer_of_one_s_own_class_is_seen_and_its_state_masked_where_it_can_be() -> None:
    net = network()
    model = pruned(net)
    optimizer = Own(net.parameters())
    optimizer.step()
    model.check()
    state = optimizer.state[net[3].weight]
    assert state["seen"].all()
    assert state["low"].float().all()
    assert torch.equal(state["high"] != 0, kept(model.cells[1]))


@pytest.mark.parametrize("in_place", [True, False])
def test_a_closure_runs_on_pruned_weights(in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    inputs = images()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = net(inputs).square().mean()
        model.check()
        loss.backward()
        return loss

    for optimizer in (
        SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1),
        torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=4, line_search_fn="strong_wolfe"),
    ):
        for _ in range(3):
            optimizer.step(closure)
            model.check()


def test_clipping_sees_masked_gradients() -> None:
    net = network()
    model = pruned(net)
    backward(net)
    for cell, layer in zip(model, (net[0], net[3]), strict=True):
        assert not layer.weight.grad[~kept(cell)].any()
    expected = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
    norm = nn.utils.clip_grad_norm_(net.parameters(), 0.01)
    assert norm == pytest.approx(float(expected), rel=1e-5)


def test_accumulated_gradients_are_masked_each_time() -> None:
    net = network()
    model = pruned(net)
    for _ in range(3):
        backward(net)
        assert not net[3].weight.grad[~kept(model.cells[1])].any()
    SGD(net.parameters(), lr=0.1).step()
    model.check()


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_masked_however_they_are_zeroed(set_to_none: bool) -> None:
    net = network()
    model = pruned(net)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad(set_to_none=set_to_none)
        backward(net)
        assert not net[3].weight.grad[~kept(model.cells[1])].any()
        optimizer.step()
    model.check()


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
@pytest.mark.parametrize("make", [SGD, torch.optim.SparseAdam])
def test_sparse_gradients_revive_nothing(kind: Any, make: Any) -> None:
    net = nn.Sequential(kind(12, 6, sparse=True))
    model = pruned(net, **GRADUAL)
    optimizer = make(net.parameters(), lr=0.1)
    for _ in range(4):
        train(net, optimizer, 1, torch.tensor([[1, 2, 2], [7, 11, 0]]))
        model.check()
        model.update(2)  # while the sparse gradient is there
        model.check()
    assert model.figures()["0"].asked == pytest.approx(0.6)


def test_a_rise_right_after_a_momentum_step_only_adds_zeros() -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    optimizer = SGD(net.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(5):
        before = masks(model)
        train(net, optimizer, 1)
        model.update(4)
        model.check()
        for old, new in zip(before, masks(model), strict=True):
            assert not (new & ~old).any()
    assert [round(f.asked, 3) for f in model.figures().values()] == [0.8, 0.8]


def test_steps_and_enforcement_never_count() -> None:
    net = network()
    model = pruned(net, **(GRADUAL | {"stepsize": 0}))
    train(net, SGD(net.parameters(), lr=0.1), 5)
    model.update(100)
    model.apply_masks()
    assert all(f.asked == pytest.approx(0.2) for f in model.figures().values())
    model.end_epoch()
    assert all(f.asked == pytest.approx(0.4) for f in model.figures().values())


def test_gradients_with_strides_of_their_own_are_masked() -> None:
    net = nn.Sequential(nn.Conv2d(4, 6, 3))
    (cell,) = model = pruned(net)
    shuffled = torch.randn(3, 6, 3, 4).permute(1, 3, 0, 2)  # dense, in an order that no layout has
    net[0].weight.grad = shuffled
    SGD(net.parameters(), lr=0.1, momentum=0.9).step()
    model.check()
    net[0].weight.register_hook(lambda _: shuffled)
    net[0].weight.grad = None
    net(torch.randn(1, 4, 5, 5)).sum().backward()
    assert not net[0].weight.grad[~kept(cell)].any()
