"""Small pieces of SVG and HTML: escaped text, scales, round axis labels."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from html import escape


def tag(name: str, *children: str, **attributes: object) -> str:
    """An element. Children are markup; attribute names may end in "_", and "_" becomes "-"."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(children)}</{name}>"


def words(value: object) -> str:
    """Text as markup."""
    return escape(str(value))


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def path(points: Sequence[tuple[float, float]], *, steps: bool = False) -> str:
    """The `d` of a line through points; with `steps` a value holds until the next point."""
    parts = []
    for index, (x, y) in enumerate(points):
        if steps and index:
            parts.append(f"H{x:.1f}V{y:.1f}")
        else:
            parts.append(f"{'L' if index else 'M'}{x:.1f} {y:.1f}")
    return "".join(parts)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers from `low` to `high`, at equal distances."""
    span = high - low
    rough = span / max(most - 1, 1)
    if not sys.float_info.min <= rough <= sys.float_info.max:  # zero, or no power of ten is near
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def axis_end(highest: float, most: int) -> float:
    """The first tick not below `highest` of an axis from 0 that has `most` ticks at most."""
    shown = ticks(0, highest, most)
    if len(shown) < 2:  # the span has no ticks
        return highest or 1.0
    end = shown[1] * math.ceil(highest / shown[1] - 1e-9)
    return end if math.isfinite(end) else highest


def epoch_ticks(first: int, last: int, most: int) -> list[int]:
    """Whole numbers from `first` to `last`."""
    step = max(1, math.ceil((last - first) / max(most - 1, 1)))
    power = 10 ** (len(str(step)) - 1)
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step)
    rounded = [n for n in range(0, last + 1, step) if n >= first]
    return (
        rounded
        if first == 0 or step == 1
        else [first, *(n for n in rounded if n - first > step / 2)]
    )


def number_text(value: float) -> str:
    """The label of a number on an axis."""
    if value == 0:
        return "0"
    if abs(value) >= 1e4:
        return f"{value / 1000:g}k" if abs(value) < 1e6 else f"{value / 1e6:g}M"
    return f"{value:.4g}"


def share_text(value: float) -> str:
    """The label of a share on an axis."""
    return f"{value * 100:.4g} %"
