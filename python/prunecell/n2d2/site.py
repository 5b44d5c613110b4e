"""The place of a cell in the network, and the module that is built for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from prunecell.config import ConfigError, Value
from prunecell.limits import MAX_WEIGHTS
from prunecell.n2d2.geometry import Shape
from prunecell.n2d2.mapping import Arriving, Connections, read_connections
from prunecell.n2d2.reading import CellSection

Fill = Callable[[torch.Generator | None], None]


@dataclass(frozen=True)
class Source:
    """One input of a cell: the names that a mapping may use for it, and its shape."""

    names: tuple[str, ...]
    shape: Shape


@dataclass
class Weights:
    """The number of weights of all cells of a network so far."""

    number: int = 0

    def take(self, more: int, at: Value) -> None:
        """Counts `more` weights before they are allocated.

        Raises:
            ConfigError: At `at`, where there are more than MAX_WEIGHTS: a mistake or an attack.
        """
        self.number += more
        if self.number > MAX_WEIGHTS:
            raise at.error(f"{self.number:,} weights; at most {MAX_WEIGHTS:,} in one network")


@dataclass(frozen=True)
class Site:
    """A cell with its inputs, the names of the cells that read it, and the weights so far."""

    cell: CellSection
    inputs: tuple[Source, ...]
    readers: tuple[str, ...]
    weights: Weights

    @property
    def shapes(self) -> list[Shape]:
        """The shape of each input."""
        return [source.shape for source in self.inputs]

    def joined(self) -> Shape:
        """All inputs as one, channel after channel. Raises ConfigError if their sizes differ."""
        shapes = self.shapes
        if len({(shape.height, shape.width) for shape in shapes}) > 1:
            raise self.disagree("in height and width")
        channels = sum(shape.channels for shape in shapes)
        flat = all(shape.flat for shape in shapes)
        return Shape(channels, shapes[0].height, shapes[0].width, flat)

    def disagree(self, where: str) -> ConfigError:
        """The error, for the caller to raise, about inputs that do not fit together."""
        given = ", ".join(f"[{source.names[0]}] gives {source.shape}" for source in self.inputs)
        return self.cell.raw("Input").error(f"the inputs must agree {where}: {given}")

    def connections(self, outputs: int) -> Connections:
        """The connections between all inputs and `outputs` outputs."""
        arriving = [Arriving(source.names, source.shape.channels) for source in self.inputs]
        return read_connections(self.cell, arriving, outputs)


@dataclass(frozen=True)
class Built:
    """A module, the shape of its output, and the form of its inputs.

    Inputs are [batch, channels] if `flat`, else [batch, channels, height, width]; one tensor with
    the channels of all inputs one after another if `joined`, else one tensor each. `fill` puts the
    initial weights in.
    """

    module: nn.Module
    shape: Shape
    flat: bool
    joined: bool = True
    fill: Fill | None = None
