"""Tables, bars and numbers for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prunecell.report.magnitudes import Magnitudes

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_LEVELS_ASCII = ".:-=+*%@"
_TAIL = 0.0005  # share of weights that may be lumped into the last line of a histogram
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
    """0.9 -> "90.00 %"; nothing for a share of nothing."""
    return f"{part / whole:.2%}".replace("%", " %") if whole else "-"


def factor_text(dense: float, packed: float) -> str:
    """How many times smaller."""
    return f"{dense / packed:.2f}" if packed else "-"


def shorten(text: str, width: int) -> str:
    """The text, cut in the middle where it is longer than `width`: ends tell names apart."""
    if len(text) <= width:
        return text
    head = (width - 2) // 2
    return f"{text[:head]}..{text[len(text) - (width - 2 - head) :]}"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    totals: Sequence[Sequence[str]],
    *,
    words: Collection[int],
    width: int,
) -> str:
    """Rows in columns.

    Args:
        header: Names of the columns.
        rows: Texts, as many as columns.
        totals: Rows below a line.
        words: Columns that are no numbers, which are set to the left.
        width: Of the terminal; the first column is shortened to fit in.
    """
    columns = list(zip(header, *rows, *totals, strict=True))
    widths = [max(map(len, column)) for column in columns]
    widths[0] = max(min(widths[0], width - sum(widths[1:]) - 2 * (len(widths) - 1)), 12)
    rule = ["-" * (sum(widths) + 2 * (len(widths) - 1))] if totals else []

    def line(row: Sequence[str]) -> str:
        cells = [shorten(row[0], widths[0]), *row[1:]]
        aligned = (
            cell.ljust(widths[i]) if i in words else cell.rjust(widths[i])
            for i, cell in enumerate(cells)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), *map(line, rows), *rule, *map(line, totals)])


def bar(share: float, width: int, *, unicode: bool) -> str:
    """A bar of `share` of the width."""
    if not unicode:
        return "#" * round(share * width)
    full, rest = divmod(round(share * width * 8), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def octave_range(magnitudes: Magnitudes, most: int) -> tuple[int, int] | None:
    """The highest octave with weights, and the lowest worth a line of its own."""
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
    """2**octave."""
    return f"{2.0**octave:.3g}" if octave <= 1023 else f"2**{octave}"


def sparkline(magnitudes: Magnitudes, low: int, top: int, *, unicode: bool) -> str:
    """One character per octave from `low` (with all below) to `top`."""
    counts = [magnitudes.octaves.get(octave, 0) for octave in range(low, top + 1)]
    counts[0] += sum(n for octave, n in magnitudes.octaves.items() if octave < low)
    levels, most = (_LEVELS if unicode else _LEVELS_ASCII), max(counts)
    return "".join(levels[-(-n * len(levels) // most) - 1] if n else " " for n in counts)


def histogram(magnitudes: Magnitudes, *, width: int, unicode: bool, most: int = 16) -> str:
    """|w| by power of two, exact zeros first."""
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
