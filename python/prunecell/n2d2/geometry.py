"""Shapes of the tensors that cells exchange, and windows that slide over them.

The reference gives sizes as X Y (width first), torch as height, width: pairs are turned round where
they are read, so that all code after that has torch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prunecell.config import Value
from prunecell.config.errors import shorten
from prunecell.limits import MAX_SIZE
from prunecell.n2d2.reading import CellSection

Pair = tuple[int, int]


@dataclass(frozen=True)
class Shape:
    """The shape of one output: channels of height x width, or plain channels when `flat`."""

    channels: int
    height: int
    width: int
    flat: bool = False

    @property
    def numel(self) -> int:
        """Values per sample."""
        return self.channels * self.height * self.width

    @property
    def sizes(self) -> tuple[int, ...]:
        """The dimensions of a tensor of one sample."""
        return (self.channels,) if self.flat else (self.channels, self.height, self.width)

    def __str__(self) -> str:
        return f"{self.channels} x {self.height} x {self.width} (channels, height, width)"


@dataclass(frozen=True)
class Window:
    """Kernel or pooling area, each pair as (height, width)."""

    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)

    @property
    def extent(self) -> Pair:
        """Height and width that it covers, the gaps of the dilation included."""
        return _each(lambda n, d: d * (n - 1) + 1, self.size, self.dilation)


def read_window(cell: CellSection, stem: str, *, dilated: bool) -> tuple[Window, Value]:
    """The window of size `<stem>Dims`, and the value that errors about it name."""
    dims, width, height = f"{stem}Dims", f"{stem}Width", f"{stem}Height"
    way = cell.first(dims, f"{stem}Size", width)
    if way == width:
        at = cell.read(width)
        size = (count(cell.read(height, "5")), count(at))
    else:
        at = cell.read(way or dims, "5 5")
        cell.first(at.key, height)
        size = _both(at, low=1) if at.key == dims else (count(at),) * 2
    return Window(
        size,
        _pair(cell, "Stride", default=1, low=1),
        _pair(cell, "Padding", default=0, low=0),
        _pair(cell, "Dilation", default=1, low=1) if dilated else (1, 1),
    ), at


def slide(shape: Shape, window: Window, at: Value) -> Pair:
    """Height and width of the result; positions that only partly fit are left out."""
    sizes = (shape.height, shape.width)
    padded = _each(lambda n, p: n + 2 * p, sizes, window.padding)
    if padded[0] < window.extent[0] or padded[1] < window.extent[1]:
        raise at.error(
            f"a window of {_xy(window.extent)} (width x height) does not fit into what arrives, "
            f"{_xy(padded)} with its padding"
        )
    reach = _each(lambda n, e: n - e, padded, window.extent)
    return _each(lambda n, s: n // s + 1, reach, window.stride)


def spread(shape: Shape, window: Window, at: Value) -> Pair:
    """Height and width of the result of a transposed convolution."""
    full = _each(lambda n, s: (n - 1) * s, (shape.height, shape.width), window.stride)
    full = _each(lambda n, e: n + e, full, window.extent)
    result = _each(lambda n, p: n - 2 * p, full, window.padding)
    if min(result) < 1:
        raise at.error(f"nothing is left of {_xy(full)} (width x height) once padding is cut off")
    return result


def count(value: Value, *, low: int = 1) -> int:
    """The value as an integer from `low` to MAX_SIZE."""
    return _check(value, value.integer(), low)


def counts(value: Value, what: Sequence[str], *, low: int = 1) -> list[int]:
    """The value as integers from `low` to MAX_SIZE, one for each name in `what`."""
    numbers = value.integers()
    if len(numbers) != len(what):
        raise value.error(f"expected {', '.join(what)}; got {shorten(value)}")
    return [_check(value, number, low) for number in numbers]


def _pair(cell: CellSection, stem: str, *, default: int, low: int) -> Pair:
    way = cell.first(f"{stem}Dims", stem)
    x, y = f"{stem}X", f"{stem}Y"
    if way is None:
        return tuple(  # type: ignore[return-value]
            count(cell.read(key), low=low) if key in cell else default for key in (y, x)
        )
    for key in (x, y):
        cell.first(way, key)
    value = cell.read(way)
    return _both(value, low) if way == f"{stem}Dims" else (count(value, low=low),) * 2


def _both(value: Value, low: int) -> Pair:
    width, height = counts(value, ("width", "height"), low=low)
    return height, width


def _check(value: Value, number: int, low: int) -> int:
    if not low <= number <= MAX_SIZE:
        raise value.error(f"expected {low} to {MAX_SIZE}, got {number}")
    return number


def _each(rule: Callable[[int, int], int], a: Pair, b: Pair) -> Pair:
    return rule(a[0], b[0]), rule(a[1], b[1])


def _xy(pair: Pair) -> str:
    return f"{pair[1]} x {pair[0]}"
