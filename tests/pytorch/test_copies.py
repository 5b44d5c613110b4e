"""Copies are pruned on their own, and nothing outlives its model."""

from __future__ import annotations

import copy
import gc
import io
import pickle
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from prunecell.torch.held_weight import registry
from test_attach import TOKENS, Tied
from torch import nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel
from torch_axes import (
    GRADUAL,
    assert_equal,
    backward,
    clones,
    images,
    kept,
    masks,
    network,
    pruned,
    train,
)


def saved_and_loaded(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "torch.save": saved_and_loaded,
}


def optimizer_of(net: nn.Module) -> SGD:
    return SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
def test_a_copy_continues_alone(make_copy: Callable[[Any], Any], in_place: bool) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    train(net, optimizer_of(net), 2)
    model.update(4)
    original = clones(net.state_dict())

    copied = make_copy(net)
    assert_equal(copied.state_dict(), original)
    second = prunecell.torch.wrap(copied)
    for _ in range(2):
        train(copied, optimizer_of(copied), 2)
        second.update(4)
        second.check()
    assert [round(f.asked, 3) for f in second.figures().values()] == [0.8, 0.8]
    assert_equal(net.state_dict(), original)
    model.update(4)
    assert [round(f.asked, 3) for f in model.figures().values()] == [0.6, 0.6]


def test_a_copy_is_pruned_and_its_gradients_masked_without_an_eager_forward() -> None:
    net = network()
    pruned(net)
    for make_copy in COPIES.values():
        copied = make_copy(net)
        model = prunecell.torch.wrap(copied)
        torch._dynamo.reset()
        compiled = torch.compile(copied, backend="eager", fullgraph=True)
        optimizer = optimizer_of(copied)
        for _ in range(3):
            optimizer.zero_grad()
            backward(compiled)
            assert not copied[3].weight.grad[~kept(model.cells[1])].any()
            optimizer.step()
            model.check()


def test_a_copied_part_is_pruned_without_the_rest() -> None:
    net = network()
    one = prunecell.PruneCell(**GRADUAL)
    for cell in prunecell.torch.wrap(net):
        cell.quantizer = one
    part = nn.Sequential(copy.deepcopy(net[3]))
    model = prunecell.torch.wrap(part)
    train(part, optimizer_of(part), 3, torch.randn(2, 64))
    model.update(4)
    model.check()
    assert model.figures()["0"].asked == pytest.approx(0.4)
    assert one.get_current_threshold() == pytest.approx(0.2)
    backward(nn.Sequential(*net))  # the original is whole


@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
def test_a_copy_keeps_its_ties(make_copy: Callable[[Any], Any]) -> None:
    copied = make_copy(pruned(Tied()).module)
    embedding, head = model = prunecell.torch.wrap(copied, embeddings=True)
    assert embedding.quantizer is head.quantizer
    del copied.embedding  # only the head holds the weight now
    train(copied.head, optimizer_of(copied.head), 2, torch.randn(2, 6))
    assert (copied.head.weight == 0).sum() == 36
    model.check()


def test_a_part_of_a_tied_model_is_copied_without_the_other() -> None:
    net = Tied()
    pruned(net)
    head = pickle.loads(pickle.dumps(net.head))
    assert len(pickle.dumps(net.head)) < len(pickle.dumps(net))
    train(head, optimizer_of(head), 2, torch.randn(2, 6))
    assert (head.weight == 0).sum() == 36
    net(TOKENS)


def test_a_copy_between_forward_and_backward_is_whole() -> None:
    net = network()
    pruned(net)
    loss = net(images()).sum()
    copied = copy.deepcopy(net)
    loss.backward()
    train(copied, optimizer_of(copied), 2)
    prunecell.torch.wrap(copied).check()


def test_a_copied_or_pickled_optimizer_keeps_weights_pruned() -> None:
    net = network()
    pruned(net)
    optimizer = optimizer_of(net)
    train(net, optimizer, 2)
    copied, second = copy.deepcopy((net, optimizer))
    third, fourth = pickle.loads(pickle.dumps((net, optimizer)))
    for one, its_optimizer in ((copied, second), (third, fourth)):
        train(one, its_optimizer, 2)
        prunecell.torch.wrap(one).check()


@pytest.mark.parametrize("use_buffers", [True, False])
def test_an_averaged_model_keeps_its_masks(use_buffers: bool) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 5))
    model = pruned(net)
    averaged = AveragedModel(net, use_buffers=use_buffers)
    before = masks(prunecell.torch.wrap(averaged))
    optimizer = optimizer_of(net)
    for _ in range(4):
        train(net, optimizer, 1)
        averaged.update_parameters(net)
    averaged(images())
    average = prunecell.torch.wrap(averaged)
    average.check()
    for old, new, its in zip(before, masks(average), masks(model), strict=True):
        assert torch.equal(old, new)
        assert torch.equal(old, its)
    averaged.load_state_dict(averaged.state_dict())


def test_a_thousand_models_leave_nothing_behind() -> None:
    gc.collect()
    before = len(registry.alive)
    one = prunecell.PruneCell(prune_mode="Static", prune_filler="Random")
    for i in range(1000):
        net = nn.Sequential(nn.Linear(3, 3))
        (cell,) = prunecell.torch.wrap(net)
        cell.quantizer = one if i % 2 else prunecell.PruneCell(prune_mode="Static")
        if i % 100 == 0:
            train(net, optimizer_of(net), 1, torch.ones(1, 3))
            copy.deepcopy(net)
    del net, cell
    assert len(registry.alive) == before  # at once: no cycle waits for the collector
    one.update(1)
