"""The charts of a run over its epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prunecell.cli.lab.html.charts import STYLES, UPWARDS, Band, Series, line_chart
from prunecell.cli.lab.html.markup import figure, legend, table
from prunecell.cli.lab.html.svg import axis_end
from prunecell.cli.lab.run import Epoch, best_accuracy
from prunecell.cli.terminal import share_text
from prunecell.shown import short_list

_ALIKE = 0.005  # largest distance, as a share, of lines that cannot be told apart


def charts(epochs: Sequence[Epoch]) -> list[str]:
    """The charts over all epochs; those of pruning only where a cell is pruned."""
    figures = [_accuracy(epochs), _loss(epochs)]
    if epochs[-1].cells:
        figures = [
            _per_cell(epochs, "sparsity", "Weights pruned", steps=False),
            _per_cell(epochs, "threshold", "Threshold in force", steps=True),
            *figures,
        ]
    return figures


def _numbers(epochs: Sequence[Epoch]) -> list[int]:
    return [epoch.number for epoch in epochs]


def _accuracy(epochs: Sequence[Epoch]) -> str:
    values = [epoch.accuracy for epoch in epochs]
    low = max(0.0, min(values) - 0.02)
    low = next(edge for edge in (0.95, 0.9, 0.8, 0.5, 0.0) if edge <= low or edge == 0)
    best = share_text(best_accuracy(epochs))
    text = (
        f"From {share_text(values[0])} to {share_text(values[-1])}, "
        f"best at the final thresholds {best}."
    )
    drawing = line_chart(
        "accuracy",
        "Accuracy on the test images, by epoch",
        text,
        _numbers(epochs),
        [Series("test accuracy", 0, values)],
        bounds=(low, 1.0),
        shares=True,
    )
    rows = [[str(e.number), share_text(e.accuracy)] for e in epochs]
    return figure("Test accuracy", drawing, "", table("Test accuracy", ["epoch", "accuracy"], rows))


def _loss(epochs: Sequence[Epoch]) -> str:
    values = [epoch.loss for epoch in epochs]
    finite = [value for value in values if math.isfinite(value)]
    text = f"From {values[0]:.4g} to {values[-1]:.4g}."
    drawing = line_chart(
        "loss",
        "Mean training loss, by epoch",
        text,
        _numbers(epochs),
        [Series("loss", 0, values)],
        bounds=(0.0, axis_end(max(finite, default=0.0), UPWARDS)),
        shares=False,
    )
    rows = [[str(e.number), f"{e.loss:.6g}"] for e in epochs]
    return figure("Training loss", drawing, "", table("Training loss", ["epoch", "loss"], rows))


def _per_cell(epochs: Sequence[Epoch], what: str, title: str, *, steps: bool) -> str:
    names = list(epochs[-1].cells)
    series, band = _series({n: [getattr(e.cells[n], what) for e in epochs] for n in names})
    if what == "sparsity" and len(names) > 1:
        # It comes first, so that it lies behind the layers.
        series.insert(0, Series("all layers", "all", [epoch.sparsity for epoch in epochs]))
    ends = [f"{one.label} ends at {share_text(one.values[-1])}" for one in series]
    drawing = line_chart(
        what,
        f"{title}, by epoch and layer",
        ". ".join([*ends, "Layers that are alike share a line; the table has all values."]),
        _numbers(epochs),
        series,
        bounds=(0.0, 1.0),
        shares=True,
        steps=steps,
        band=band,
    )
    rows = [
        [str(e.number), *(share_text(getattr(e.cells[n], what)) for n in names)] for e in epochs
    ]
    areas = [] if band is None else [("band", "lowest to highest layer")]
    values = table(title, ["epoch", *names], rows)
    return figure(title, drawing, legend(series, areas), values)


def _series(values: dict[str, list[float]]) -> tuple[list[Series], Band | None]:
    """A line for each layer or group of layers that look the same; a band for too many of them."""
    alike: list[tuple[list[float], list[str]]] = []
    for name, line in values.items():
        for known, names in alike:
            if max(abs(a - b) for a, b in zip(known, line, strict=True)) < _ALIKE:
                names.append(name)
                break
        else:
            alike.append((line, [name]))
        if len(alike) > STYLES:
            break  # a band is drawn, however many more there are
    if len(alike) <= STYLES:
        return [Series(_joined(n), style, line) for style, (line, n) in enumerate(alike)], None
    columns = list(zip(*values.values(), strict=True))
    middle = [sorted(column)[len(column) // 2] for column in columns]
    band = Band([min(column) for column in columns], [max(column) for column in columns])
    return [Series("median layer", 0, middle)], band


def _joined(names: Sequence[str]) -> str:
    return short_list(names, 4 if len(names) <= 4 else 2)
