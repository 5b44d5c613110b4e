"""Activation functions: plain functions with their numbers bound, so that they copy and pickle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from prunecell.n2d2.reading import CellSection

Function = Callable[[Tensor], Tensor]

_KEY = "ActivationFunction"
_LECUN = 1.7159 * 2 / 3
_NAMES = (
    *("Linear", "Rectifier", "Tanh", "TanhLeCun", "Saturation", "Logistic", "Softplus", "Swish"),
    "LogisticWithLoss",
)


def read_activation(cell: CellSection) -> Function | None:
    """The activation function of a cell; None for Linear, the default."""
    value = cell.get(_KEY)
    name = "Linear" if value is None else value.choice(_NAMES)
    if value is not None and name == "LogisticWithLoss":
        raise value.error(
            "the loss belongs to training here; use Logistic, or Linear with a loss that takes "
            "logits, such as torch.nn.BCEWithLogitsLoss"
        )
    if name == "Rectifier":
        return _rectifier(_number(cell, "LeakSlope", 0.0), _number(cell, "Clipping", 0.0))
    if name == "Tanh":
        return partial(scaled_tanh, alpha=_number(cell, "Alpha", 1.0))
    if name == "Saturation":
        return partial(saturation, threshold=_number(cell, "Threshold", 1.0))
    simple: dict[str, Function | None] = {
        "Linear": None,
        "TanhLeCun": partial(scaled_tanh, alpha=_LECUN),
        "Logistic": logistic,
        "Softplus": functional.softplus,
        "Swish": functional.silu,
    }
    return simple[name]


def scaled_tanh(x: Tensor, alpha: float) -> Tensor:
    """tanh(alpha x)."""
    return torch.tanh(x if alpha == 1 else alpha * x)


def saturation(x: Tensor, threshold: float) -> Tensor:
    """x, cut off at -threshold and threshold."""
    return x.clamp(-threshold, threshold)


def logistic(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


def clipped(x: Tensor, slope: float, clipping: float) -> Tensor:
    """A rectifier with `slope` below 0 that is cut off at `clipping`."""
    return (functional.leaky_relu(x, slope) if slope else x.relu()).clamp(max=clipping)


def _rectifier(slope: float, clipping: float) -> Function:
    if clipping:
        return partial(clipped, slope=slope, clipping=clipping)
    if slope:
        return partial(functional.leaky_relu, negative_slope=slope)
    return functional.relu


def _number(cell: CellSection, name: str, default: float) -> float:
    value = cell.get(f"{_KEY}.{name}")
    if value is None:
        return default
    number = value.number()
    if number < 0:
        raise value.error(f"expected a number of 0 or more, got {number}")
    return number
