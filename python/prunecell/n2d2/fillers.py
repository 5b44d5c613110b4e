"""Fillers: the distributions that weights and biases start from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from prunecell.n2d2.reading import CellSection

# Standard deviation that the reference's documentation gives for cells that name no filler.
_DEFAULT_STD = 0.05
_NORMS = ("FanIn", "Average", "FanOut")
_WEIGHTS = ("ConstantFiller", "NormalFiller", "UniformFiller", "XavierFiller", "HeFiller")


class Fans(NamedTuple):
    """Numbers of weights that lead into one output, and out of one input."""

    into: int
    out_of: int


@dataclass(frozen=True)
class Filler:
    """A normal or uniform distribution, or one value (`spread` 0).

    `spread` is a standard deviation, or half the width of the interval. Where `norm` is set, center
    and the square of spread are divided by the fan that it names.
    """

    kind: str
    center: float
    spread: float
    norm: str | None = None
    scaling: float = 1.0

    def fill(self, tensor: Tensor, fans: Fans, generator: torch.Generator | None) -> None:
        """Overwrites `tensor`, which may be a slice of a parameter."""
        center, spread = self.center, self.spread
        if self.norm is not None:
            average = (fans.into + fans.out_of) / 2
            fan = {"FanIn": fans.into, "Average": average, "FanOut": fans.out_of}[self.norm]
            center, spread = center / fan, spread / math.sqrt(fan)
        center, spread = self.scaling * center, abs(self.scaling * spread)
        with torch.no_grad():
            if spread == 0:
                tensor.fill_(center)
            elif self.kind == "normal":
                tensor.normal_(center, spread, generator=generator)
            else:
                tensor.uniform_(center - spread, center + spread, generator=generator)


def read_weights_filler(cell: CellSection) -> Filler:
    """The filler of the weights: WeightsFiller and its parameters."""
    return _read(cell, "WeightsFiller", _WEIGHTS)


def read_bias_filler(cell: CellSection) -> Filler:
    """The filler of the bias, which has no fans for XavierFiller and HeFiller."""
    return _read(cell, "BiasFiller", _WEIGHTS[:3])


def _read(cell: CellSection, name: str, legal: tuple[str, ...]) -> Filler:
    value = cell.get(name)
    if value is None:
        return Filler("normal", 0.0, _DEFAULT_STD)
    word = value.choice(legal)

    def number(key: str, default: float) -> float:
        given = cell.get(f"{name}.{key}")
        return default if given is None else given.number()

    def choice(key: str, legal: tuple[str, ...]) -> str:
        given = cell.get(f"{name}.{key}")
        return legal[0] if given is None else given.choice(legal)

    norm: str | None = None
    scaling = 1.0
    if word in ("XavierFiller", "HeFiller"):
        norm, scaling = choice("VarianceNorm", _NORMS), number("Scaling", 1.0)
    if word == "ConstantFiller":
        shape = ("constant", number("Value", 0.0), 0.0)
    elif word == "NormalFiller":
        shape = ("normal", number("Mean", 0.0), number("StdDev", 1.0))
    elif word == "UniformFiller":
        low, high = number("Min", 0.0), number("Max", 1.0)
        shape = ("uniform", (low + high) / 2, (high - low) / 2)
    elif word == "HeFiller":
        shape = ("normal", number("MeanNorm", 0.0), math.sqrt(2))
    elif choice("Distribution", ("Uniform", "Normal")) == "Normal":
        shape = ("normal", 0.0, 1.0)
    else:
        shape = ("uniform", 0.0, math.sqrt(3))
    if shape[2] < 0:
        raise value.error("expected a StdDev of 0 or more, or a Min below Max")
    return Filler(*shape, norm, scaling)
