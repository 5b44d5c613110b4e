"""The axes that tests of the adapter run over, each defined once, and the models they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import prunecell
import pytest
import torch
from prunecell.cells import Cell
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

# Each layer with the shape of an input for it.
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Conv1d": (lambda: nn.Conv1d(3, 4, 3), (2, 3, 8)),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3), (2, 3, 6, 6)),
    "Conv3d": (lambda: nn.Conv3d(3, 4, 2), (2, 3, 4, 4, 4)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(3, 4, 3), (2, 3, 8)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 4, 3), (2, 3, 5, 5)),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(3, 4, 2), (2, 3, 3, 3, 3)),
    "Linear": (lambda: nn.Linear(7, 5), (2, 7)),
}

MakeOptimizer = Callable[[Iterable[Any]], Optimizer]

# Weight decay and momentum wherever they exist: they move weights without a gradient.
_RULES: dict[str, MakeOptimizer] = {
    "sgd": partial(SGD, lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": partial(SGD, lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": partial(Adam, lr=0.01, weight_decay=0.01),
    "amsgrad": partial(Adam, lr=0.01, weight_decay=0.01, amsgrad=True),
    "adamw": partial(AdamW, lr=0.01, weight_decay=0.01),
    "rmsprop": partial(RMSprop, lr=0.01, momentum=0.9, weight_decay=0.01),
    "adagrad": partial(Adagrad, lr=0.01, weight_decay=0.01),
}
OPTIMIZERS: dict[str, MakeOptimizer] = {
    **{f"{name}-loop": partial(rule, foreach=False) for name, rule in _RULES.items()},
    **{f"{name}-foreach": partial(rule, foreach=True) for name, rule in _RULES.items()},
    **{
        f"{name}-fused": partial(_RULES[name], fused=True)
        for name in ("sgd", "nesterov", "adam", "amsgrad", "adamw", "adagrad")
    },
}

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

STATIC = {
    "prune_mode": "Static",
    "prune_filler": "IterNonStruct",
    "threshold": 0.5,
    "delta": 1e-4,
}
# A rise every 4 samples: 0.2, 0.4, 0.6, 0.8.
GRADUAL = {
    "prune_mode": "Gradual",
    "prune_filler": "IterNonStruct",
    "start": 0.2,
    "gamma": 0.2,
    "threshold": 0.8,
    "stepsize": 4,
    "delta": 1e-4,
}


# Mark of tests that load weights without masks, whatever becomes of the masks in force.
takes_masks = pytest.mark.filterwarnings("ignore:the loaded weights bring no masks")
# Mark of tests whose weights are all equal.
all_may_go = pytest.mark.filterwarnings("ignore:all weights were pruned")


def network() -> nn.Sequential:
    """Two cells, "0" and "3"; its input is 2 x 3 x 6 x 6."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


def images() -> Tensor:
    return torch.randn(2, 3, 6, 6)


def pruned(net: nn.Module, **parameters: Any) -> prunecell.torch.Model:
    """The model with a PruneCell of its own for each cell, `STATIC` where not said otherwise."""
    model = prunecell.torch.wrap(net, embeddings=True)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**(STATIC | parameters))
    return model


def kept(cell: Cell) -> Tensor:
    """The mask of a cell whose PruneCell serves it alone."""
    assert cell.quantizer is not None
    return torch.from_numpy(np.asarray(cell.quantizer.get_pruned_masks(0)))


def masks(model: prunecell.torch.Model) -> list[Tensor]:
    return [kept(cell) for cell in model]


def backward(net: Any, inputs: Tensor | None = None) -> None:
    net(images() if inputs is None else inputs).square().mean().backward()


def train(net: Any, optimizer: Optimizer, steps: int, inputs: Tensor | None = None) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        backward(net, inputs)
        optimizer.step()


def clones(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in state.items()}


def assert_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    """Checks equal keys and, bit for bit, equal values."""
    assert list(left) == list(right)
    for key, value in left.items():
        assert torch.equal(value, right[key]), key
