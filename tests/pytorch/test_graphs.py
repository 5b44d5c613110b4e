"""Compiled, checkpointed, functional and inference-mode forwards; weights written by hand."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.optim import SGD, Adam
from torch.utils.checkpoint import checkpoint
from torch_axes import GRADUAL, backward, clones, images, kept, network, pruned, train


@pytest.fixture
def fresh_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes away graphs of other tests and the messages of the compiler."""
    torch._dynamo.reset()
    logging.getLogger("torch").setLevel(logging.ERROR)
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_one_graph_and_trains_pruned(backend: str, when: str) -> None:
    net = network()
    model = pruned(net, **GRADUAL) if when == "before" else prunecell.torch.wrap(net)
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    if when == "after":
        backward(compiled)
        net.zero_grad()
        model = pruned(net, **GRADUAL)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(4):
        inputs = images()
        assert torch.equal(compiled(inputs), net(inputs))
        optimizer.zero_grad()
        backward(compiled, inputs)
        for cell, layer in zip(model, (net[0], net[3]), strict=True):
            assert not layer.weight.grad[~kept(cell)].any()
        optimizer.step()
        model.check()
        model.update(4)
        model.check()


@pytest.mark.usefixtures("fresh_compiler")
def test_the_cells_of_a_compiled_model_are_those_of_the_model() -> None:
    net = network()
    compiled = torch.compile(net, backend="eager")
    model = pruned(compiled)
    assert [cell.name for cell in model] == ["_orig_mod.0", "_orig_mod.3"]
    train(compiled, SGD(compiled.parameters(), lr=0.1, momentum=0.9), 2)
    model.check()
    compiled.load_state_dict(compiled.state_dict())
    assert prunecell.torch.wrap(net).cells == model.cells


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch's own
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_compiled_optimizer_step_leaves_weights_pruned(make: Any, in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    optimizer = make(net.parameters(), lr=0.1, weight_decay=0.1)
    step = torch.compile(optimizer.step, backend="eager")
    before = clones(net.state_dict())
    for _ in range(3):
        backward(net)
        step()
        model.check()
        assert not torch.equal(net[3].weight, before["3.weight"])


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_activation_checkpointing_recomputes_the_same_forward(use_reentrant: bool) -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(4):
        inputs = images().requires_grad_()
        optimizer.zero_grad()
        net(inputs).square().mean().backward()
        expected = net[3].weight.grad.clone()
        optimizer.zero_grad()
        with torch.no_grad():
            net[0].weight += 1  # revived by hand: the next forward masks again, once
            net[0].weight -= 1
        checkpoint(net, inputs, use_reentrant=use_reentrant).square().mean().backward()
        torch.testing.assert_close(net[3].weight.grad, expected)
        assert not net[0].weight.grad[~kept(model.cells[0])].any()
        optimizer.step()
        model.update(4)
        model.check()


def test_two_forwards_before_one_backward_are_no_write_to_autograd() -> None:
    net = network()
    pruned(net)
    first, second = net(images()).sum(), net(images()).sum()
    (first + second).backward()
    train(net, SGD(net.parameters(), lr=0.1), 1)
    third, fourth = net(images()).sum(), net(images()).sum()
    third.backward()
    fourth.backward()


def test_autograd_is_told_of_masking_that_changed_a_weight_and_of_no_other() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    model = pruned(net)
    inputs = torch.ones(1, 4, requires_grad=True)
    loss = net(inputs).sum()
    model.apply_masks()  # nothing to do
    loss.backward()
    loss = net(inputs).sum()
    net[0].weight.data.fill_(1)
    model.apply_masks()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_autograd_is_told_of_a_gradient_that_another_hook_has_saved() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    scale = torch.ones(4, 4, requires_grad=True)
    products: list[torch.Tensor] = []

    def save(weight: torch.Tensor) -> None:
        with torch.enable_grad():
            products.append((weight.grad * scale).sum())

    net[0].weight.register_post_accumulate_grad_hook(save)
    pruned(net)
    net(torch.ones(1, 4)).sum().backward()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        products[0].backward()


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_inference_sees_pruned_weights(mode: Any) -> None:
    net = network()
    model = pruned(net)
    inputs = images()
    with mode():
        expected = net(inputs)
        net[3].weight.add_(kept(model.cells[1]).logical_not())  # only pruned weights are moved
        assert torch.equal(net(inputs), expected)
    model.check()
    train(net, SGD(net.parameters(), lr=0.1), 2)
    model.check()


def test_a_model_made_in_inference_mode_is_masked_at_every_forward() -> None:
    with torch.inference_mode():
        net = network()
        model = pruned(net)
        for _ in range(2):
            net[3].weight.fill_(1)
            net(images())
            model.check()


def written(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight.fill_(1)


def copied(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight.copy_(torch.ones_like(weight))


def initialized(weight: nn.Parameter) -> None:
    nn.init.uniform_(weight, 1, 2)


@pytest.mark.parametrize("write", [written, copied, initialized])
def test_weights_written_by_hand_are_masked_at_the_next_forward(write: Any) -> None:
    net = network()
    model = pruned(net)
    write(net[3].weight)
    with pytest.raises(prunecell.WrongState, match=r"cell '3': pruned weight \(\d, \d+\) is 1"):
        model.check()
    net(images())
    model.check()
    assert net[3].weight.detach()[kept(model.cells[1])].min() >= 1


def test_a_parameter_put_in_the_place_of_another_is_pruned() -> None:
    net = network()
    model = pruned(net)
    net[3].weight = nn.Parameter(torch.ones(5, 64))
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    backward(net)
    assert not net[3].weight.grad[~kept(model.cells[1])].any()
    optimizer.step()
    model.check()


def test_writes_through_data_are_found_by_check_and_masked_on_request() -> None:
    net = network()
    model = pruned(net)
    net[3].weight.data.fill_(torch.nan)
    with pytest.raises(prunecell.WrongState, match=r"cell '3'.* is nan; 160 in all"):
        model.check()
    model.apply_masks()
    model.check()
    assert net[3].weight.isnan().sum() == 160


@pytest.mark.parametrize("in_place", [True, False])
def test_functional_calls_leave_parameters_of_their_caller_alone(in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    before = clones(net.state_dict())
    others = {k: nn.Parameter(torch.ones_like(v)) for k, v in net.named_parameters()}
    loss = (net(images()) - functional_call(net, others, images())).square().mean()
    assert all(value.all() for value in others.values())
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    loss.backward()
    for cell, layer in zip(model, (net[0], net[3]), strict=True):
        assert not layer.weight.grad[~kept(cell)].any()
    SGD(net.parameters(), lr=0.1).step()
    model.check()


@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_weights_that_begin_to_learn_are_masked_from_their_first_step_on() -> None:
    net = network().requires_grad_(False)
    model = pruned(net)
    net.requires_grad_(True)
    compiled = torch.compile(net, backend="eager")
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        backward(compiled)
        optimizer.step()
        model.check()
    for cell, layer in zip(model, (net[0], net[3]), strict=True):
        assert not layer.weight.grad[~kept(cell)].any()


def test_functional_calls_take_the_weights_of_their_caller() -> None:
    net = network()
    model = pruned(net)
    inputs = images()
    own = {name: p.detach().clone() for name, p in net.named_parameters()}
    assert torch.equal(functional_call(net, own, inputs), net(inputs))
    assert torch.equal(functional_call(net, dict(net.named_parameters()), inputs), net(inputs))

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(net, parameters, inputs).square().mean()

    assert grad(loss)(own)["3.weight"].ne(0).any()
    stacked = {name: torch.stack([p, p + 1]) for name, p in own.items()}
    assert vmap(loss)(stacked).shape == (2,)
    model.check()


def test_attention_whose_projection_is_never_called_trains_pruned() -> None:
    net = nn.MultiheadAttention(8, 2)
    model = pruned(net)
    assert [cell.name for cell in model] == ["in_proj_weight", "out_proj"]
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        inputs = torch.randn(3, 2, 8)
        optimizer.zero_grad()
        net(inputs, inputs, inputs)[0].square().mean().backward()
        optimizer.step()
        model.check()


def test_an_embedding_that_renormalizes_its_rows_stays_pruned() -> None:
    net = nn.Sequential(nn.Embedding(10, 4, max_norm=0.5))
    model = pruned(net)
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9), 3, torch.tensor([1, 2, 9]))
    model.check()
