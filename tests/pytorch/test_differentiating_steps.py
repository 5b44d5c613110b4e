"""Optimizers that differentiate inside their step, like AdaHessian."""

from __future__ import annotations

from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch_axes import clones, images, network, pruned


class AdaHessian(Optimizer):
    """Steps by the gradient over the diagonal of the Hessian, estimated by one random vector."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [one for one in group["params"] if one.grad is not None]
            signs = [torch.randint(0, 2, one.shape) * 2.0 - 1 for one in weights]
            found = torch.autograd.grad(
                [one.grad for one in weights], weights, signs, allow_unused=True
            )
            with torch.no_grad():
                for one, sign, product in zip(weights, signs, found, strict=True):
                    diagonal = 1 if product is None else (product * sign).abs() + 1e-3
                    one.sub_(group["lr"] * one.grad / diagonal)


def backward(net: nn.Module) -> None:
    net.zero_grad()
    net(images()).square().mean().backward(create_graph=True)


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_in_place_they_see_the_pruned_weights() -> None:
    net = network()
    model = pruned(net)
    before = clones(net.state_dict())
    optimizer = AdaHessian(net.parameters(), lr=0.01)
    for _ in range(3):
        backward(net)
        optimizer.step()
        model.check()
        model.update(4)
    assert not torch.equal(net.state_dict()["0.weight"], before["0.weight"])
    net.zero_grad()


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_out_of_place_they_are_refused_by_name_and_nothing_has_moved() -> None:
    net = network()
    model = pruned(net, in_place=False)
    before = clones(net.state_dict())
    backward(net)
    with pytest.raises(
        prunecell.WrongState, match=r"cell '0': AdaHessian\.step.*create_graph.*in_place=True"
    ):
        AdaHessian(net.parameters(), lr=0.01).step()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    model.check()
    SGD(net.parameters(), lr=0.01).step()  # which does not differentiate
    net.zero_grad()
