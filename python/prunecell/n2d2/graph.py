"""The network as a module: cells in an order in which each comes after its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunecell.n2d2.activations import Function

# Name of the network's input; no cell can have it.
INPUT = "sp"


@dataclass(frozen=True)
class Step:
    """One cell in forward: its inputs, their form, and the activation after it.

    `flat` and `joined` are those of site.Built. `finished` are values that no later step reads.
    """

    name: str
    inputs: tuple[str, ...]
    flat: bool
    joined: bool
    activation: Function | None
    finished: tuple[str, ...]


class TakenNameError(ValueError):
    """A name that no module can have at its place; `cell` is the section of that name."""

    def __init__(self, cell: str, reason: str) -> None:
        super().__init__(f"the section's name cannot be the name of a module: {reason}")
        self.cell = cell


class Cells(nn.Module):
    """Holds the cells whose names begin with the same word: `1` and `2` of conv1.1 and conv1.2."""


class Network(nn.Module):
    """The network of an INI file. Its modules have the names of the sections.

    `input_shape` is (channels, height, width) of the input; `cell_shapes` maps each cell to the
    shape of its output per sample; `output_names` are the cells whose values forward returns: cells
    with a Target section and cells that no other cell reads. forward returns a single value as it
    is, several as a dict.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        steps: Sequence[Step],
        *,
        input_shape: tuple[int, ...],
        cell_shapes: Mapping[str, tuple[int, ...]],
        output_names: Sequence[str],
    ) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.cell_shapes: dict[str, tuple[int, ...]] = dict(cell_shapes)
        self.output_names: tuple[str, ...] = tuple(output_names)
        self._steps = tuple(steps)
        for name in modules:
            self._install(name, modules)

    def forward(self, input: Tensor) -> Tensor | dict[str, Tensor]:
        """Runs all cells on a batch."""
        if tuple(input.shape[1:]) != self.input_shape:
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"expected input of shape [batch, {expected}], got {list(input.shape)}"
            )
        values = {INPUT: input}
        for step in self._steps:
            arriving = [_formed(values[name], step.flat) for name in step.inputs]
            if step.joined and len(arriving) > 1:
                arriving = [torch.cat(arriving, 1)]
            # Looked up by name at every call, so that a module that was replaced takes part.
            value = self.get_submodule(step.name)(*arriving)
            values[step.name] = value if step.activation is None else step.activation(value)
            for name in step.finished:
                del values[name]
        if len(self.output_names) == 1:
            return values[self.output_names[0]]
        return {name: values[name] for name in self.output_names}

    def extra_repr(self) -> str:
        """Shapes of input and outputs."""
        given = ", ".join(f"{name} {self.cell_shapes[name]}" for name in self.output_names)
        return f"{self.input_shape} -> {given}"

    def _install(self, name: str, modules: Mapping[str, nn.Module]) -> None:
        """Puts cell `name` at its place; a cell that its name begins with comes first."""
        place: nn.Module = self
        *path, last = name.split(".")
        for depth, word in enumerate(path, 1):
            if word not in place._modules:
                above = ".".join(path[:depth])
                _check_free(place, word, name)
                place.add_module(word, modules.get(above) or Cells())
            place = place.get_submodule(word)
        if last not in place._modules:
            _check_free(place, last, name)
            place.add_module(last, modules[name])


def _check_free(place: nn.Module, word: str, cell: str) -> None:
    """Raises TakenNameError where the module at `place` already has an attribute `word`."""
    if not word:
        raise TakenNameError(cell, "a part between points is empty")
    if hasattr(place, word):
        raise TakenNameError(cell, f'"{word}" is an attribute of {type(place).__name__} already')


def _formed(value: Tensor, flat: bool) -> Tensor:
    """The value as [batch, channels] if `flat`, else as [batch, channels, height, width]."""
    if flat:
        return value.flatten(1)
    return value[:, :, None, None] if value.dim() == 2 else value
