"""`page`: a run as one HTML page without network or script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from prunecell.cli.lab.html.charts import histogram_chart, share_bar
from prunecell.cli.lab.html.markup import figure, legend, table
from prunecell.cli.lab.html.overtime import charts
from prunecell.cli.lab.html.svg import tag, words
from prunecell.cli.lab.run import Run, TensorBytes, best_accuracy
from prunecell.cli.terminal import bytes_text, count_text, factor_text, shape_text, share_text

_MOST_HISTOGRAMS = 60


def page(run: Run, title: str | None = None) -> str:
    """The whole document; `title` replaces the title of the run, unless it is None."""
    run = replace(run, title=title or run.title)
    style = files("prunecell.cli.lab.html").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        '<meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        '<meta name="color-scheme" content="light dark"/>',
        '<link rel="icon" href="data:,"/>',
        tag("title", words(f"{run.title} - pruning report")),
        tag("style", style),
    )
    sections = [_head(run), _over_time(run), _layers(run), _weights(run), _bytes(run), _about(run)]
    body = tag("body", tag("main", *sections))
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def _section(title: str, *parts: str) -> str:
    name = title.lower().replace(" ", "-")
    return tag("section", tag("h2", words(title), id=name), *parts, aria_labelledby=name)


def _head(run: Run) -> str:
    tiles = []
    if run.epochs:
        last = run.epochs[-1]
        best = f"best at the final thresholds {share_text(best_accuracy(run.epochs))}"
        tiles.append(("test accuracy", share_text(last.accuracy), best))
        if last.cells:
            size = sum(cell.size for cell in last.cells.values())
            tiles.append(("weights pruned", share_text(last.sparsity), f"of {size:,} in layers"))
    if run.bytes:
        dense = sum(one.dense for one in run.bytes)
        sizes = f"{bytes_text(dense)} of weights in a file of {bytes_text(run.file_bytes)}"
        tiles.append(("smaller", f"{factor_text(dense, run.file_bytes)}x", sizes))
    done = f"{len(run.epochs)} of {run.planned}"
    note = "finished" if len(run.epochs) >= run.planned else "not finished yet"
    tiles.append(("epochs", done, note))
    shown = (
        tag("div", tag("dt", words(a)), tag("dd", words(b)), tag("dd", words(c), class_="note"))
        for a, b, c in tiles
    )
    return tag(
        "header",
        tag("p", "prunecell report", class_="eyebrow"),
        tag("h1", words(run.title)),
        tag("dl", *shown, class_="tiles"),
    )


# Over time


def _over_time(run: Run) -> str:
    if not run.epochs:
        return _section("Over time", tag("p", "No epoch is finished yet."))
    return _section("Over time", tag("div", *charts(run.epochs), class_="charts"))


# Layers


def _layers(run: Run) -> str:
    if not run.epochs or not run.epochs[-1].cells:
        return ""
    rows = []
    for name, cell in run.epochs[-1].cells.items():
        bar, asked = share_bar(cell.sparsity, cell.threshold), share_text(cell.threshold)
        counts = [f"{cell.size - cell.zeros:,}", f"{cell.size:,}"]
        start = share_text(run.starts[name]) if name in run.starts else "-"
        rows.append([words(name), bar, share_text(cell.sparsity), asked, start, *counts])
    last = run.epochs[-1]
    size, zeros = (sum(getattr(c, w) for c in last.cells.values()) for w in ("size", "zeros"))
    bar, reached = share_bar(last.sparsity, None), share_text(last.sparsity)
    total = ["all", bar, reached, "", "", f"{size - zeros:,}", f"{size:,}"]
    header = ["layer", "share pruned", "pruned", "asked", "start", "kept", "weights"]
    text = (
        "The mark on a bar is the share that was asked for; start is what a Gradual schedule began "
        "with. Pruned are weights that a mask of these layers holds at 0."
    )
    note = tag("p", text, class_="note")
    caption = f"Layers after epoch {last.number}"
    return _section("Layers", table(caption, header, rows, [total], bars=1), note)


# Weights


def _weights(run: Run) -> str:
    if not run.histograms:
        return ""
    figures = []
    for index, (name, counts) in enumerate(list(run.histograms.items())[:_MOST_HISTOGRAMS]):
        zeros = share_text(counts.zeros, counts.size)
        text = f"{zeros} exactly 0 now; {count_text(sum(counts.after), 'weight')} kept."
        title = f"Weights of {name} before and after"
        drawing = histogram_chart(f"weights{index}", title, text, counts)
        width = 2 * counts.limit / len(counts.before)
        rows = [
            [f"{-counts.limit + i * width:.4g}", f"{old:,}", f"{new:,}"]
            for i, (old, new) in enumerate(zip(counts.before, counts.after, strict=True))
        ]
        values = table(title, ["from", "before", "after, not 0"], rows)
        figures.append(figure(f"{name}: {zeros} exactly 0", drawing, "", values))
    key = legend([], [("before", "before training"), ("after", "after, without zeros")])
    more = len(run.histograms) - _MOST_HISTOGRAMS
    rest = tag("p", f"And {count_text(more, 'layer')} more.", class_="note") if more > 0 else ""
    return _section("Weights before and after", key, tag("div", *figures, class_="charts"), rest)


# Bytes


def _bytes(run: Run) -> str:
    if not run.bytes:
        return ""
    rows = []
    for one in run.bytes:
        shape = shape_text(one.shape)
        rows.append([words(one.name), *_byte_cells([one]), words(one.dtype), shape])
    header = [
        "tensor",
        "share of dense",
        "in the file",
        "dense",
        "smaller",
        "zeros",
        "type",
        "shape",
    ]
    total = ["all", *_byte_cells(run.bytes), "", ""]
    text = (
        "Zeros are values that are 0, masked or not, of all tensors, biases and others without a "
        "mask included: their total is not that of the pruned weights above."
    )
    sizes = table("Bytes of the final model", header, rows, [total], bars=1)
    return _section("Bytes", sizes, tag("p", text, class_="note"))


def _byte_cells(tensors: Sequence[TensorBytes]) -> list[str]:
    dense, stored = (sum(getattr(one, which) for one in tensors) for which in ("dense", "stored"))
    zeros, size = sum(one.zeros for one in tensors), sum(one.size for one in tensors)
    return [
        share_bar(stored / dense if dense else 0, None),
        bytes_text(stored),
        bytes_text(dense),
        f"{factor_text(dense, stored)}x" if stored else "-",
        share_text(zeros, size),
    ]


def _about(run: Run) -> str:
    pairs = (tag("div", tag("dt", words(k)), tag("dd", words(v))) for k, v in run.facts)
    return _section("About this run", tag("dl", *pairs, class_="facts"))
