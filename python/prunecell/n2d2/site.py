"""Where a cell stands in the network, and what is made of it."""

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
    """One input of a cell: what a mapping may call it, and what arrives from it."""

    names: tuple[str, ...]
    shape: Shape


@dataclass
class Weights:
    """Those of all cells of a network together."""

    number: int = 0

    def take(self, more: int, at: Value) -> None:
        """Counts `more`, before they are allocated. ConfigError at a value where they are too many.

        A larger number than the limit is a mistake or an attack.
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
        """What arrives, input by input."""
        return [source.shape for source in self.inputs]

    def joined(self) -> Shape:
        """All inputs as one, channel after channel. ConfigError if their sizes differ."""
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
        """The mapping."""
        arriving = [Arriving(source.names, source.shape.channels) for source in self.inputs]
        return read_connections(self.cell, arriving, outputs)


@dataclass(frozen=True)
class Built:
    """A module, what it gives, and how what arrives is handed to it.

    `flat`: as [batch, channels], else as [batch, channels, height, width]. `joined`: as one tensor
    with the channels of all inputs one after another, else each by itself. `fill` puts the initial
    weights in.
    """

    module: nn.Module
    shape: Shape
    flat: bool
    joined: bool = True
    fill: Fill | None = None
