"""The plots of a report: inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from prunecell.cli.lab.html.svg import (
    epoch_ticks,
    number_text,
    path,
    share_text,
    tag,
    ticks,
    words,
)
from prunecell.cli.lab.weights import Histograms

# Sizes in units of the viewBox; a plot is legible from 320 px to 700 px of width.
WIDTH, HEIGHT = 460, 260
RIGHT, TOP, BOTTOM = 14, 12, 40
_LEAST_LEFT = 54
_CHARACTER = 8  # width of the widest digit of a label, about, in the fonts of the style sheet
_GAP = 8  # between a label and its line
UPWARDS = 6  # largest number of ticks of the vertical axis
STYLES = 6  # number of series styles in the style sheet, told apart by colour and dashes
_DOT, _WIDE_DOT = 2.6, 7  # radii; the wide dot lies behind the dots of the layers, as its line does
_MARKERS = 40  # largest number of epochs with a dot for each value


@dataclass(frozen=True)
class Series:
    """One line: values by epoch. `style` is 0 to STYLES - 1, or "all"."""

    label: str
    style: int | str
    values: Sequence[float]


@dataclass(frozen=True)
class Band:
    """Lowest and highest value of many lines, by epoch."""

    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class _Frame:
    """The axes: epochs or weights to the right, `low` to `high`, written by `text`, upwards."""

    first: float
    last: float
    low: float
    high: float
    text: Callable[[float], str]

    @cached_property
    def left(self) -> float:
        """The margin that the longest label needs."""
        longest = max((len(self.text(value)) for value in self._upwards), default=0)
        return max(_LEAST_LEFT, _CHARACTER * longest + _GAP)

    @cached_property
    def _upwards(self) -> list[float]:
        return ticks(self.low, self.high, UPWARDS)

    def x(self, value: float) -> float:
        span = self.last - self.first
        share = (value - self.first) / span if span else 0.5
        return self.left + share * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, across: Sequence[float], name: str) -> str:
        parts = []
        left, right, bottom = self.left, WIDTH - RIGHT, HEIGHT - BOTTOM
        for value in self._upwards:
            y = self.y(value)
            parts.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            label = words(self.text(value))
            parts.append(tag("text", label, x=left - _GAP, y=y + 4, class_="tick end"))
        parts.append(tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
        for value in across:
            x = self.x(value)
            parts.append(tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis"))
            label = words(number_text(value))
            parts.append(tag("text", label, x=x, y=bottom + 18, class_="tick middle"))
        middle = (left + right) / 2
        parts.append(tag("text", words(name), x=middle, y=HEIGHT - 4, class_="tick middle"))
        return "".join(parts)


def _drawing(name: str, title: str, description: str, *parts: str) -> str:
    return tag(
        "svg",
        tag("title", words(title), id=f"{name}-title"),
        tag("desc", words(description), id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def line_chart(
    name: str,
    title: str,
    description: str,
    epochs: Sequence[int],
    series: Sequence[Series],
    *,
    bounds: tuple[float, float],
    shares: bool,
    steps: bool = False,
    band: Band | None = None,
) -> str:
    """Lines over epochs.

    Args:
        name: Prefix of the ids in the page.
        title: The title of the chart.
        description: The chart in words.
        epochs: The numbers of the epochs.
        series: The lines, each with a value per epoch.
        bounds: Lowest and highest value of the axis.
        shares: Whether values are shares, shown as percentages.
        steps: Whether a value holds until the next epoch.
        band: A band behind the lines.
    """
    frame = _Frame(epochs[0], epochs[-1], *bounds, share_text if shares else number_text)
    parts = [frame.axes(epoch_ticks(epochs[0], epochs[-1], 8), "epoch")]
    if band is not None:
        parts.append(_band(frame, epochs, band, steps=steps))
    for one in series:
        points = [
            (frame.x(epoch), frame.y(value))
            for epoch, value in zip(epochs, one.values, strict=True)
            if math.isfinite(value)  # a loss may overflow
        ]
        line = path(points, steps=steps)
        parts.append(tag("path", d=line, class_=f"line s{one.style}"))
        every = len(epochs) <= _MARKERS and not steps and one.style != "all"
        if every or len(points) == 1:  # a line of one point is not visible
            radius = _WIDE_DOT if one.style == "all" else _DOT
            dots = (tag("circle", cx=x, cy=y, r=radius) for x, y in points)
            parts.append(tag("g", *dots, class_=f"dots s{one.style}"))
    return _drawing(name, title, description, *parts)


def _band(frame: _Frame, epochs: Sequence[int], band: Band, *, steps: bool) -> str:
    def corners(values: Sequence[float]) -> list[tuple[float, float]]:
        points: list[tuple[float, float]] = []
        for index, (epoch, value) in enumerate(zip(epochs, values, strict=True)):
            if steps and index:
                points.append((frame.x(epoch), points[-1][1]))
            points.append((frame.x(epoch), frame.y(value)))
        return points

    outline = corners(band.high) + corners(band.low)[::-1]
    if len(epochs) == 1:  # without a width of its own
        (x, high), (_, low) = outline
        outline = [(x - 6, high), (x + 6, high), (x + 6, low), (x - 6, low)]
    return tag("path", d=path(outline) + "Z", class_="band")


def histogram_chart(name: str, title: str, description: str, counts: Histograms) -> str:
    """The weights before training as an area, the kept weights as bars."""
    bins = len(counts.before)
    high = max(*counts.before, *counts.after, 1)
    frame = _Frame(-counts.limit, counts.limit, 0, high * 1.05, number_text)
    width = 2 * counts.limit / bins
    edges = [-counts.limit + index * width for index in range(bins + 1)]
    outline = [(frame.x(edges[0]), frame.y(0))]
    for index, count in enumerate(counts.before):
        outline += [(frame.x(edges[i]), frame.y(count)) for i in (index, index + 1)]
    outline.append((frame.x(edges[-1]), frame.y(0)))
    bars = "".join(
        f"M{frame.x(edges[i]) + 0.5:.1f} {frame.y(0):.1f}V{frame.y(count):.1f}"
        f"H{frame.x(edges[i + 1]) - 0.5:.1f}V{frame.y(0):.1f}Z"
        for i, count in enumerate(counts.after)
        if count
    )
    across = ticks(-counts.limit, counts.limit, 7)
    return _drawing(
        name,
        title,
        description,
        frame.axes(across, "weight"),
        tag("path", d=path(outline), class_="before"),
        tag("path", d=bars, class_="after"),
    )


def share_bar(share: float, mark: float | None) -> str:
    """A bar of a share of its width, for a table cell with the number beside it."""
    parts = [
        tag("rect", width=100, height=10, rx=2, class_="track"),
        tag("rect", width=100 * min(max(share, 0), 1), height=10, rx=2, class_="fill"),
    ]
    if mark is not None:
        x = min(max(100 * mark, 0.6), 99.4)
        parts.append(tag("line", x1=x, x2=x, y1=-2, y2=12, class_="mark"))
    return tag(
        "svg",
        *parts,
        viewBox="0 -2 100 14",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )
