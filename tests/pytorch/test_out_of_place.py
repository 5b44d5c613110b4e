"""in_place=False: full-precision weights beside the pruned ones, and weights that come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import prunecell
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, backward, clones, kept, masks, network, pruned, train

LR, MOMENTUM, DECAY = 0.4, 0.9, 0.05


def optimizer_of(net: nn.Module) -> SGD:
    return SGD(net.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)


def dense(net: nn.Module, name: str) -> torch.Tensor:
    return net.state_dict()[f"{name}.prune_dense"].clone()


def pruned_mask(weights: torch.Tensor, threshold: float, delta: float) -> torch.Tensor:
    """The IterNonStruct mask by its definition, level after level; True where kept."""
    need = next(
        c
        for c in range(weights.numel() + 1)
        if np.float32(c) / np.float32(weights.numel()) >= np.float32(threshold)
    )
    k = 1
    while True:
        limit = float(np.float32(delta) * np.float32(k))
        if (weights.abs() <= limit).sum() >= need:
            return weights.abs() > limit
        k += 1


def test_a_run_follows_the_reference() -> None:
    """Forward and backward on w * mask, gradient * mask, SGD on the full-precision w."""
    net = nn.Sequential(nn.Linear(8, 6, bias=False))
    full = net[0].weight.detach().clone()
    model = pruned(net, **(GRADUAL | {"delta": 1e-3}), in_place=False)
    optimizer = optimizer_of(net)
    velocity = torch.zeros_like(full)
    mask, threshold, samples, came_back = pruned_mask(full, 0.2, 1e-3), 0.2, 0, 0
    for _ in range(16):
        inputs = torch.randn(2, 8)
        twin = nn.Linear(8, 6, bias=False)
        with torch.no_grad():
            twin.weight.copy_(torch.where(mask, full, 0))
        assert torch.equal(net[0].weight, twin.weight)
        twin(inputs).square().mean().backward()
        gradient = torch.where(mask, twin.weight.grad, 0)

        train(net, optimizer, 1, inputs)
        assert torch.equal(net[0].weight.grad, gradient)
        velocity = MOMENTUM * velocity + (gradient + DECAY * full)
        full = full - LR * velocity
        torch.testing.assert_close(dense(net, "0"), full, rtol=1e-6, atol=1e-7)
        full = dense(net, "0")  # the same rounding from here on

        model.update(2)
        samples += 2
        if samples % 4 == 0 and threshold < 0.79:
            threshold += 0.2
            before = mask
            mask = pruned_mask(full, threshold, 1e-3)
            came_back += int((mask & ~before).sum())
        assert torch.equal(kept(model.cells[0]), mask)
    assert came_back > 0
    assert model.figures()["0"].asked == pytest.approx(0.8)


def test_the_parameter_is_pruned_outside_the_step_and_whole_inside() -> None:
    net = network()
    model = pruned(net, in_place=False)
    optimizer = optimizer_of(net)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(net[3].weight.detach().clone()))
    full = dense(net, "3")
    assert (full != 0).all()
    train(net, optimizer, 1)
    assert torch.equal(seen[0], full)
    model.check()
    assert not torch.equal(dense(net, "3"), full)


def test_momentum_and_decay_move_pruned_weights() -> None:
    net = network()
    optimizer = optimizer_of(net)
    train(net, optimizer, 1)
    model = pruned(net, in_place=False)
    before, gone = dense(net, "3"), ~kept(model.cells[1])
    train(net, optimizer, 1)
    assert (dense(net, "3")[gone] != before[gone]).all()
    assert net[3].weight[gone].eq(0).all()


@pytest.mark.parametrize("nested", [False, True])
def test_a_step_that_raises_loses_no_full_precision_weight(nested: bool) -> None:
    net = network()
    model = pruned(net, in_place=False)
    optimizer = optimizer_of(net)
    backward(net)
    before = clones(net.state_dict())

    def failing() -> Any:
        if nested:
            model(torch.ones(2, 3, 6, 6))
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        optimizer.step(failing)
    net(torch.ones(2, 3, 6, 6))
    model.check()
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    optimizer.step()
    model.check()


def test_a_closure_that_raises_leaves_the_pruned_weights_in_place() -> None:
    net = network()
    model = pruned(net, in_place=False)

    def failing() -> Any:
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        optimizer_of(net).step(failing)
    model.check()
    assert (dense(net, "3") != 0).all()


class Evaluated(SGD):
    """A step that calls something that is no closure."""

    def step(self, closure: Any = None, model: Any = None) -> Any:
        model(torch.ones(2, 3, 6, 6))
        return super().step(closure)


def test_what_a_step_is_given_beside_its_closure_is_left_alone() -> None:
    net = network()
    model = pruned(net, in_place=False)
    optimizer = Evaluated(net.parameters(), lr=0.1)
    backward(net)
    optimizer.step(model=net)
    model.check()


def test_an_update_right_after_a_step_that_raised_loses_nothing_either() -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=False)
    before = dense(net, "3")

    def failing() -> Any:
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        optimizer_of(net).step(failing)
    model.update(4)
    model.check()
    assert torch.equal(dense(net, "3"), before)


def test_a_closure_leaves_full_precision_weights_to_the_step() -> None:
    plain, net = network(), network()
    net.load_state_dict(plain.state_dict())
    model = pruned(net, in_place=False)
    twin = pruned(plain, in_place=False)
    inputs = torch.randn(2, 3, 6, 6)
    first, second = optimizer_of(net), optimizer_of(plain)

    def closure() -> torch.Tensor:
        first.zero_grad()
        loss = net(inputs).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        first.step(closure)
        train(plain, second, 1, inputs)
    for key, value in plain.state_dict().items():
        assert torch.equal(value, net.state_dict()[key]), key
    model.check()
    twin.check()


def test_a_weight_written_by_hand_enters_the_full_precision_ones_where_kept() -> None:
    net = network()
    model = pruned(net, in_place=False)
    full, mask = dense(net, "3"), kept(model.cells[1])
    with torch.no_grad():
        net[3].weight.fill_(7)
    model.update(1)
    assert torch.equal(dense(net, "3"), torch.where(mask, 7, full))
    assert torch.equal(net[3].weight, torch.where(mask, 7.0, 0.0))
    net[3].weight.data.fill_(9)
    model.apply_masks()
    assert torch.equal(dense(net, "3"), torch.where(mask, 9, full))


def test_a_mask_that_frees_weights_brings_them_back() -> None:
    net = network()
    first, _ = pruned(net, in_place=False)
    full = dense(net, "0")
    first.quantizer.set_pruned_masks(0, np.ones((4, 3, 3, 3), bool))
    assert torch.equal(net[0].weight, full)


def test_a_state_of_the_prune_cell_brings_weights_back() -> None:
    net = network()
    first, _ = model = pruned(net, **GRADUAL, in_place=False)
    early, full, weight = first.quantizer.state_dict(), dense(net, "0"), net[0].weight.clone()
    model.update(4)
    assert not torch.equal(net[0].weight, weight)
    first.quantizer.load_state_dict(early)
    assert torch.equal(net[0].weight, weight)
    assert torch.equal(dense(net, "0"), full)


MOVES: list[Any] = [
    lambda net: net.half(),
    lambda net: net.double(),
    lambda net: net.to(torch.bfloat16),
    lambda net: net.to(memory_format=torch.channels_last),
]


@pytest.mark.parametrize("move", MOVES)
def test_full_precision_weights_follow_dtype_and_layout(move: Any) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=False)
    move(net)
    weight = net[0].weight
    inputs = torch.randn(2, 3, 6, 6).to(weight.dtype)
    train(net, optimizer_of(net), 2, inputs)
    model.update(4)
    model.check()
    state = net.state_dict()["0.prune_dense"]
    assert state.dtype == weight.dtype
    assert state.stride() == weight.stride()
    assert torch.equal(state[kept(model.cells[0])], weight[kept(model.cells[0])])


@pytest.mark.parametrize("call", ["end_epoch", "update", "state_dict", "set_pruned_masks"])
@pytest.mark.parametrize("move", MOVES)
def test_full_precision_weights_follow_right_after_a_move(move: Any, call: str) -> None:
    net = network()
    model = pruned(net, **(GRADUAL | {"stepsize": 4 * (call == "update")}), in_place=False)
    full = dense(net, "0")
    move(net)
    first = model.cells[0].quantizer
    assert first is not None
    if call == "end_epoch":
        model.end_epoch()
    elif call == "update":
        model.update(4)
    elif call == "set_pruned_masks":
        first.set_pruned_masks(0, np.ones((4, 3, 3, 3), bool))
    weight, state = net[0].weight, net.state_dict()["0.prune_dense"]
    assert (state.dtype, state.stride()) == (weight.dtype, weight.stride())
    assert torch.equal(state, full.to(weight.dtype))
    model.check()
    assert model.figures()["0"].asked == pytest.approx(
        0.4 if call in ("end_epoch", "update") else 0.2
    )
    assert torch.equal(weight, torch.where(kept(model.cells[0]), state, 0))


def test_attaching_in_inference_mode_is_no_obstacle_to_training() -> None:
    net = network()
    with torch.inference_mode():
        model = pruned(net, in_place=False)
    train(net, optimizer_of(net), 2)
    model.check()


def test_loading_in_inference_mode_is_no_obstacle_to_training() -> None:
    net = network()
    model = pruned(net, in_place=False)
    state = clones(net.state_dict())
    with torch.inference_mode():
        net.load_state_dict(state)
        net.load_state_dict(net.state_dict())
    train(net, optimizer_of(net), 2)
    model.check()
    assert not torch.equal(dense(net, "3"), state["3.prune_dense"])


def test_identity_trains_as_if_it_were_not_there() -> None:
    net, plain = network(), network()
    plain.load_state_dict(net.state_dict())
    pruned(net, prune_mode="Identity", in_place=False)
    inputs = torch.randn(2, 3, 6, 6)
    train(net, optimizer_of(net), 3, inputs)
    train(plain, optimizer_of(plain), 3, inputs)
    assert torch.equal(net[3].weight, plain[3].weight)


def test_taking_it_off_leaves_the_pruned_weights() -> None:
    net = network()
    model = pruned(net, in_place=False)
    before = masks(model)
    model.detach()
    for layer, mask in zip((net[0], net[3]), before, strict=True):
        assert torch.equal(layer.weight != 0, mask)
    assert prunecell.PruneCell(**STATIC).in_place
