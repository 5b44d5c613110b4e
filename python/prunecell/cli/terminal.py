"""Tables, bars and numbers for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from prunecell.cli.magnitudes import Magnitudes

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_LEVELS_ASCII = ".:-=+*%@"
_TAIL = 0.0005  # share of weights that the last line of a histogram may sum up
_UNITS = ("B", "kB", "MB", "GB", "TB")


def bytes_text(count: float) -> str:
    """1234567 -> "1.23 MB"."""
    unit = 0
    while abs(count) >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} B" if unit == 0 else f"{count:.3g} {_UNITS[unit]}"


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """3, "tensor" -> "3 tensors"; `plural` where it is not `noun` with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def share_text(part: float, whole: float = 1.0) -> str:
    """0.9 -> "90.00 %"; "-" for a share of nothing."""
    return f"{part / whole:.2%}".replace("%", " %") if whole else "-"


def factor_text(dense: float, packed: float) -> str:
    """The quotient of two sizes, "-" where `packed` is 0."""
    return f"{dense / packed:.2f}" if packed else "-"


def shape_text(shape: Sequence[int], scalar: str = "-") -> str:
    """(3, 4) -> "3x4"; `scalar` for a tensor without dimensions."""
    return "x".join(map(str, shape)) or scalar


def shorten(text: str, width: int) -> str:
    """The text, cut in the middle if it is longer than `width`: ends tell names apart."""
    if len(text) <= width:
        return text
    head = (width - 2) // 2
    return f"{text[:head]}..{text[len(text) - (width - 2 - head) :]}"


def shorten_names(names: Iterable[str], width: int) -> dict[str, str]:
    """Each name and the text shown for it, which no other name has.

    Leading parts give way to their first letters, then the middle to two dots. Names that would
    look alike become longer than `width` instead.
    """
    forms = {name: _forms(name, width) for name in names}
    count = Counter(text for texts in forms.values() for text in set(texts))
    return {
        name: next((text for text in texts if count[text] == 1), name)
        for name, texts in forms.items()
    }


def _forms(name: str, width: int) -> list[str]:
    """The texts that may be shown for a name, best first."""
    initials = _initials(name, width)
    return [shorten(initials, width), initials, name]


def _initials(name: str, width: int) -> str:
    """encoder.layer10.fc.weight -> e.l10.fc.weight, as few parts as make it fit."""
    parts, too_long = name.split("."), len(name) - width
    for index, part in enumerate(parts[:-1]):
        if too_long <= 0:
            break
        word = part.rstrip("0123456789")
        parts[index] = word[:1] + part[len(word) :]
        too_long -= len(word[1:])
    return ".".join(parts)


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    totals: Sequence[Sequence[str]],
    *,
    words: Collection[int],
    droppable: Sequence[int] = (),
    width: int,
) -> str:
    """Rows in columns. The first one holds names, by which each row can be told.

    Args:
        header: Names of the columns.
        rows: Texts, as many as columns.
        totals: Rows below a line.
        words: Columns of words, which are aligned to the left.
        droppable: Columns that are left out where names would not fit, in this order.
        width: Width of the terminal. A table that cannot be made to fit is wider.
    """
    columns = list(zip(header, *rows, *totals, strict=True))
    widths = [max(map(len, column)) for column in columns]
    shown, given_way = list(range(len(widths))), list(droppable)
    while _line_width(widths, shown) > width and given_way:
        shown.remove(given_way.pop(0))
    least = max(len(row[0]) for row in (header, *totals))
    room = max(width - _line_width(widths, shown) + widths[0], least)
    names = shorten_names((row[0] for row in rows), room)
    widths[0] = max(least, *map(len, names.values()))

    def line(row: Sequence[str]) -> str:
        cells = [names.get(row[0], row[0]), *row[1:]]
        aligned = (
            cells[i].ljust(widths[i]) if i in words else cells[i].rjust(widths[i]) for i in shown
        )
        return "  ".join(aligned).rstrip()

    rule = ["-" * _line_width(widths, shown)] if totals else []
    return "\n".join([line(header), *map(line, rows), *rule, *map(line, totals)])


def _line_width(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[i] for i in shown) + 2 * (len(shown) - 1)


def bar(share: float, width: int, *, unicode: bool) -> str:
    """A bar of `share` of the width."""
    if not unicode:
        return "#" * round(share * width)
    full, rest = divmod(round(share * width * 8), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def octave_range(magnitudes: Magnitudes, most: int) -> tuple[int, int] | None:
    """The lowest octave worth a line of its own and the highest with weights, or None."""
    octaves = magnitudes.octaves
    if not octaves:
        return None
    top, low, below = max(octaves), min(octaves), 0
    tail = _TAIL * sum(octaves.values())
    while low < top and (below + octaves.get(low, 0) <= tail or top - low >= most):
        below += octaves.get(low, 0)
        low += 1
    return low, top


def edge_text(octave: int) -> str:
    """The text of 2**octave."""
    return f"{2.0**octave:.3g}" if octave <= 1023 else f"2**{octave}"


def sparkline(magnitudes: Magnitudes, low: int, top: int, *, unicode: bool) -> str:
    """One character per octave from `low` (with all below) to `top`."""
    counts = [magnitudes.octaves.get(octave, 0) for octave in range(low, top + 1)]
    counts[0] += sum(n for octave, n in magnitudes.octaves.items() if octave < low)
    levels, most = (_LEVELS if unicode else _LEVELS_ASCII), max(counts)
    return "".join(levels[-(-n * len(levels) // most) - 1] if n else " " for n in counts)


def histogram(magnitudes: Magnitudes, *, width: int, unicode: bool, most: int = 16) -> str:
    """A histogram of |w| by power of two, exact zeros first."""
    rows = [("0", magnitudes.zeros)]
    if bounds := octave_range(magnitudes, most):
        low, top = bounds
        below = sum(n for octave, n in magnitudes.octaves.items() if octave < low)
        if below:
            rows.append((f"< {edge_text(low)}", below))
        rows += [
            (f"{edge_text(octave)} .. {edge_text(octave + 1)}", magnitudes.octaves.get(octave, 0))
            for octave in range(low, top + 1)
        ]
    rows += [(n, c) for n, c in (("Inf", magnitudes.infinite), ("NaN", magnitudes.nan)) if c]
    label = max(len(text) for text, _ in rows)
    room = max(width - label - 13, 10)
    largest = max((count for _, count in rows), default=0) or 1
    lines = [
        f"{text:>{label}}  {share_text(count, magnitudes.size):>8}  "
        f"{bar(count / largest, room, unicode=unicode)}".rstrip()
        for text, count in rows
    ]
    return "\n".join(lines)
