"""A run that is resumed from a checkpoint goes on bit for bit."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch_axes import GRADUAL, assert_equal, network, pruned

STEPS = 12


@dataclass
class Run:
    """A training run; batch i is the same in every run."""

    net: nn.Sequential
    model: prunecell.torch.Model
    optimizer: Optimizer

    @classmethod
    def start(cls, make: Any, weights: int, **parameters: Any) -> Run:
        torch.manual_seed(weights)
        net = network()
        model = pruned(net, **(GRADUAL | {"stepsize": 5} | parameters))
        return cls(net, model, make(net.parameters()))

    def go(self, first: int, last: int) -> None:
        for i in range(first, last):
            inputs = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(i))
            self.optimizer.zero_grad()
            self.net(inputs).square().mean().backward()
            self.optimizer.step()
            self.model.update(2)
            if i % 4 == 3:
                self.model.end_epoch()

    def save(self) -> io.BytesIO:
        file = io.BytesIO()
        torch.save([self.net.state_dict(), self.optimizer.state_dict()], file)
        file.seek(0)
        return file

    def load(self, file: io.BytesIO) -> None:
        net, optimizer = torch.load(file, weights_only=True)
        self.net.load_state_dict(net)
        self.optimizer.load_state_dict(optimizer)

    def tensors(self) -> dict[str, Tensor]:
        state = dict(self.net.state_dict())
        for i, values in self.optimizer.state_dict()["state"].items():
            state |= {f"{i}.{k}": torch.as_tensor(v) for k, v in values.items() if v is not None}
        return state


def sgd(parameters: Any) -> Optimizer:
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01)


def adam(parameters: Any) -> Optimizer:
    return Adam(parameters, lr=0.02, weight_decay=0.01)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("filler", ["IterNonStruct", "Random"])
@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("stepsize", [5, 0])
def test_a_resumed_run_is_the_uninterrupted_one(
    make: Any, filler: str, in_place: bool, stepsize: int
) -> None:
    parameters = {
        "seed": 2**64 - 3,
        "prune_filler": filler,
        "in_place": in_place,
        "stepsize": stepsize,
    }
    whole = Run.start(make, 0, **parameters)
    whole.go(0, STEPS)
    assert all(cell.quantizer.rises >= 3 for cell in whole.model)

    for stop in (0, 1, 5, 6, STEPS):
        first = Run.start(make, 0, **parameters)
        first.go(0, stop)
        second = Run.start(make, 99, **parameters)  # other weights, other masks
        second.load(first.save())
        second.go(stop, STEPS)
        assert_equal(second.tensors(), whole.tensors())
        assert repr(second.model.figures()) == repr(whole.model.figures())
