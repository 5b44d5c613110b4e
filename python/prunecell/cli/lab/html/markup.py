"""Tables, figures and legends of a report."""

from __future__ import annotations

from collections.abc import Sequence

from prunecell.cli.lab.html.charts import Series
from prunecell.cli.lab.html.svg import tag, words

Rows = Sequence[Sequence[str]]
_LINE, _BLOCK = "M1 5H25", "M1 0H25V10H1Z"


def table(
    caption: str,
    header: Sequence[str],
    rows: Rows,
    totals: Rows = (),
    *,
    bars: int | None = None,
) -> str:
    """A table of cells that are markup; the first column holds names.

    A table with bars turns into blocks on a phone: the name of each row, and below it the cells
    with the names of their columns.

    Args:
        caption: The caption.
        header: Names of the columns.
        rows: Rows with a cell for each column.
        totals: Rows below a line.
        bars: The number of the column that holds bars.
    """

    def row(cells: Sequence[str]) -> str:
        made = [
            tag("td", cell, class_=_side(i), data_column=None if bars is None else header[i])
            for i, cell in enumerate(cells)
            if i > 0
        ]
        return tag("tr", tag("th", cells[0], scope="row"), *made)

    def _side(index: int) -> str | None:
        if index == bars:
            return "bars"
        return "number" if index else None

    heads = (tag("th", words(h), scope="col", class_=_side(i)) for i, h in enumerate(header))
    inner = tag(
        "table",
        tag("caption", words(caption)),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *map(row, rows)),
        tag("tfoot", *map(row, totals)) if totals else "",
        class_=None if bars is None else "stacked",
    )
    return tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)


def figure(title: str, drawing: str, key: str, values: str) -> str:
    """A chart with its legend, and its values as a table that opens on demand."""
    more = tag("details", tag("summary", "Values as a table"), values)
    return tag("figure", tag("figcaption", words(title)), key, drawing, more)


def legend(lines: Sequence[Series], areas: Sequence[tuple[str, str]] = ()) -> str:
    """The legend of a chart; areas are pairs of style and label."""
    entries = [(_LINE, f"line s{one.style}", one.label) for one in lines]
    entries += [(_BLOCK, style, label) for style, label in areas]
    if len(entries) < 2:
        return ""
    return tag(
        "ul",
        *(tag("li", _swatch(d, style), words(label)) for d, style, label in entries),
        class_="legend",
    )


def _swatch(d: str, style: str) -> str:
    return tag("svg", tag("path", d=d, class_=style), viewBox="0 0 26 10", aria_hidden="true")
