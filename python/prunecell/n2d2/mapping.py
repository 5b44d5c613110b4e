"""Connections between the outputs of a cell and the channels of its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prunecell.config import Value
from prunecell.limits import MAX_CONNECTIONS, MAX_MAPPING_STEPS
from prunecell.n2d2.geometry import count
from prunecell.n2d2.reading import CellSection

Matrix = npt.NDArray[np.bool_]

_KEY = "Mapping"
_PATTERN = [stem + axis for stem in ("Size", "Stride", "Offset") for axis in ("", "X", "Y")]
_PATTERN.append("NbIterations")


@dataclass(frozen=True)
class Arriving:
    """One input of a cell: the names that the mapping may use for it, and its channels."""

    names: tuple[str, ...]
    channels: int


@dataclass(frozen=True)
class Connections:
    """The connections of a cell over the channels of all its inputs.

    Attributes:
        matrix: bool[outputs, channels]; None where `groups` says it all.
        groups: Groups of all inputs together, 1 where they are not divided.
        groups_by_input: Groups of each input by itself, 1 where it is not divided.
    """

    matrix: Matrix | None
    groups: int
    groups_by_input: tuple[int, ...]


def read_connections(cell: CellSection, inputs: Sequence[Arriving], outputs: int) -> Connections:
    """The mapping of a cell with `outputs` outputs.

    Raises:
        ConfigError: A mapping that does not fit the cell, or leaves an output without input.
    """
    at = _written(cell)
    blocks = [_block(cell, each, outputs) for each in inputs]
    # All blocks are read before this test, so that their keys count as known.
    if at is None or all(block is None for block in blocks):
        return Connections(None, 1, (1,) * len(blocks))
    full = [
        np.ones((outputs, each.channels), np.bool_) if block is None else block
        for block, each in zip(blocks, inputs, strict=True)
    ]
    matrix = np.concatenate(full, axis=1)
    unconnected = np.flatnonzero(~matrix.any(axis=1))
    if len(unconnected):
        raise at.error(f"output {unconnected[0]} (counted from 0) is connected to no channel")
    groups = _groups(matrix)
    by_input = tuple(max(1, _groups(block)) for block in full)
    return Connections(None if groups else matrix, max(1, groups), by_input)


def is_one_to_one(connections: Connections, channels: int, outputs: int) -> bool:
    """Whether output i is connected to channel i alone, for each i."""
    return channels == outputs and connections.matrix is None and connections.groups == channels


def _written(cell: CellSection) -> Value | None:
    """The first property of the mapping, which errors about the whole name."""
    return next((cell.raw(key) for key in cell if key.startswith(_KEY)), None)


def _block(cell: CellSection, arriving: Arriving, outputs: int) -> Matrix | None:
    """The matrix of one input, or None if it is fully connected."""
    channels = arriving.channels
    way = cell.first(f"{_KEY}.NbGroups", f"{_KEY}.ChannelsPerGroup")
    written = {name: f"{_KEY}({name})" for name in arriving.names}
    by_hand = cell.first(*written.values())
    prefixes = [_KEY, *written.values()]
    patterns = [f"{p}.{key}" for p in prefixes for key in _PATTERN if f"{p}.{key}" in cell]
    if way is not None:
        for other in [by_hand, *patterns]:
            cell.first(way, *([other] if other else []))
        return _grouped(cell.read(way), channels, outputs)
    if by_hand is not None:
        _check_size(cell.read(by_hand), channels, outputs)
        return _by_hand(cell.read(by_hand), channels, outputs)
    if patterns:
        _check_size(cell.read(patterns[0]), channels, outputs)
        return _pattern(cell, prefixes, channels, outputs, cell.read(patterns[0]))
    return None


def _grouped(value: Value, channels: int, outputs: int) -> Matrix:
    _check_size(value, channels, outputs)
    number = count(value)
    if channels % number:
        raise value.error(f"{channels} channels cannot be divided by {number}")
    groups = number if value.key.endswith("NbGroups") else channels // number
    if groups > outputs:
        raise value.error(f"{groups} groups of channels for {outputs} outputs")
    per_group = channels // groups
    matrix = np.zeros((outputs, channels), np.bool_)
    start = 0
    for group in range(groups):
        # Outputs that cannot be shared out evenly go to the last groups.
        stop = start + (outputs - start) // (groups - group)
        matrix[start:stop, group * per_group : (group + 1) * per_group] = True
        start = stop
    return matrix


def _by_hand(value: Value, channels: int, outputs: int) -> Matrix:
    words = value.words()
    if len(words) != channels * outputs:
        raise value.error(
            f"expected {channels} rows (channels) of {outputs} columns (outputs), "
            f"{channels * outputs} in all; got {len(words)}"
        )
    wrong = next((word for word in words if word not in ("0", "1")), None)
    if wrong is not None:
        raise value.error(f'expected 0 and 1, got "{wrong}"')
    rows = np.array([word == "1" for word in words], np.bool_)
    matrix: Matrix = rows.reshape(channels, outputs).T.copy()
    return matrix


def _pattern(
    cell: CellSection, prefixes: Sequence[str], channels: int, outputs: int, at: Value
) -> Matrix:
    """A rectangle of connections that moves on by a step, round and round."""

    def pair(stem: str, default: int) -> tuple[int, int]:
        return number(stem, "X", default), number(stem, "Y", default)

    def number(stem: str, axis: str, default: int) -> int:
        for prefix in reversed(prefixes):  # keys of the input before keys of all inputs
            key = cell.first(f"{prefix}.{stem}", f"{prefix}.{stem}{axis}")
            if key is not None:
                return count(cell.read(key), low=0)
        return default

    width, height = pair("Size", 1)
    stride, offset = pair("Stride", 1), pair("Offset", 0)
    width, height = min(width or outputs, outputs), min(height or channels, channels)
    steps = number("NbIterations", "", 0) or max(outputs, channels)
    steps = min(steps, math.lcm(outputs, channels))  # the period of the pattern
    if steps * width * height > MAX_MAPPING_STEPS:
        raise at.error(f"more than {MAX_MAPPING_STEPS} connections to draw")
    step = np.arange(steps)
    matrix = np.zeros((outputs, channels), np.bool_)
    for x in range(width):
        for y in range(height):
            across = (offset[0] + stride[0] * step + x) % outputs
            matrix[across, (offset[1] + stride[1] * step + y) % channels] = True
    return matrix


def _check_size(value: Value, channels: int, outputs: int) -> None:
    if channels * outputs > MAX_CONNECTIONS:
        raise value.error(
            f"a mapping of {channels} channels to {outputs} outputs is larger than "
            f"{MAX_CONNECTIONS} connections"
        )


def _groups(matrix: Matrix) -> int:
    """The number of equal groups of channels with a group of outputs each; 0 if there are none."""
    outputs, channels = matrix.shape
    # The first output, which has one group of channels, tells how many groups there can be.
    per_group = int(matrix[0].sum())
    if per_group == 0 or channels % per_group:
        return 0
    groups = channels // per_group
    if outputs % groups:
        return 0
    regular = np.kron(np.eye(groups, dtype=np.bool_), np.ones((1, per_group), np.bool_))
    return groups if np.array_equal(matrix, regular.repeat(outputs // groups, axis=0)) else 0
