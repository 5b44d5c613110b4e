"""`prunecell inspect`: what is in a file of tensors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prunecell.cli import console, terminal
from prunecell.cli.magnitudes import Magnitudes, count_magnitudes
from prunecell.cli.parser import Commands, add_command, add_patterns
from prunecell.cli.progress import Progress
from prunecell.cli.select import EMBEDDINGS, matches, selected
from prunecell.cli.tensors import Listed, Source, open_source, other_entries
from prunecell.cli.tensors.source import FLOATING
from prunecell.shown import printable

_EXAMPLES = """\
prunecell inspect model.safetensors
prunecell inspect model.pt --include 'encoder.*' --exclude '*.bias'
prunecell inspect weights.npz --json | jq '.total.zeros'
"""
_SPARKLINE_OCTAVES = 14


@dataclass(frozen=True)
class _Found:
    listed: Listed
    magnitudes: Magnitudes | None
    """None for tensors that are not floating."""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = add_command(
        commands,
        "inspect",
        summary="Shows the tensors of a file: shapes, types, bytes, exact zeros, sizes of |w|.",
        more="Takes safetensors (dense and packed ones), .npz and torch files; objects in them are "
        "never loaded.",
        examples=_EXAMPLES,
        run=_run,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="safetensors, .npz or torch file")
    add_patterns(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def _run(arguments: argparse.Namespace) -> None:
    with closing(open_source(arguments.file)) as source:
        names = selected(list(source.tensors), arguments.include, arguments.exclude)
        found = _count(source, names)
    groups = _groups(found, arguments.embeddings or EMBEDDINGS)
    if arguments.json:
        console.show_json(_as_json(arguments.file, source, found) | groups)
    else:
        _show(arguments.file, source, found, groups)


def _count(source: Source, names: list[str]) -> list[_Found]:
    found = []
    total = sum(source.tensors[name].dense for name in names)
    with Progress("inspecting", total) as progress:
        for name in names:
            listed, magnitudes = source.tensors[name], None
            if listed.dtype in FLOATING:
                magnitudes = count_magnitudes(source.read(name).bits, listed.dtype)
            found.append(_Found(listed, magnitudes))
            progress.advance(listed.dense, name)
    return found


def _total(found: list[_Found]) -> dict[str, Any]:
    each = {one.listed.first_name: one for one in reversed(found)}  # tied: once
    counted = [one.magnitudes for one in each.values() if one.magnitudes is not None]
    return {
        "tensors": len(found),
        "weights": sum(one.size for one in counted),
        "zeros": sum(one.zeros for one in counted),
        "bytes": sum(one.listed.stored for one in found),
        "dense_bytes": sum(one.listed.dense for one in found),
    }


def _groups(found: list[_Found], embeddings: Sequence[str]) -> dict[str, dict[str, Any]]:
    prunable = [one for one in found if one.listed.prunable]
    layers = [one for one in prunable if not matches(one.listed.first_name, embeddings)]
    return {"total": _total(found), "prunable": _total(prunable), "layers": _total(layers)}


def _as_json(path: Path, source: Source, found: list[_Found]) -> dict[str, Any]:
    tensors = []
    for one in found:
        fields: dict[str, Any] = {
            "name": one.listed.name,
            "dtype": one.listed.dtype,
            "shape": list(one.listed.shape),
            "form": one.listed.form,
            "bytes": one.listed.stored,
            "dense_bytes": one.listed.dense,
            "sparsity": one.listed.sparsity,
            "alias_of": one.listed.alias_of,
        }
        if one.magnitudes is not None:
            counts = asdict(one.magnitudes)
            counts["octaves"] = {str(k): v for k, v in sorted(one.magnitudes.octaves.items())}
            fields |= counts
        tensors.append(fields)
    head = {"file": str(path), "kind": source.kind, "file_bytes": path.stat().st_size}
    return head | {"metadata": dict(source.metadata), "tensors": tensors}


def _show(
    path: Path, source: Source, found: list[_Found], groups: dict[str, dict[str, Any]]
) -> None:
    size = terminal.bytes_text(path.stat().st_size)
    count = terminal.count_text(len(source.tensors), "tensor")
    console.show(f"{path}: {source.kind}, {size}, {count}")
    for key, text in source.metadata.items():
        console.show(f"  {printable(key)}: {printable(text)[:100]}")
    if source.others:
        console.show(f"  {other_entries(source)}")
    if not found:
        return
    everything = Magnitudes()
    for one in found:
        if one.listed.alias_of is None:
            everything.add(one.magnitudes or Magnitudes())
    console.show("\n" + _table(found, groups, everything))
    if everything.size:
        what = terminal.count_text(everything.size, "floating weight")
        console.show(f"\n|w| of {what}\n" + _histogram(everything))


def _histogram(everything: Magnitudes) -> str:
    width = min(console.width(), 100)
    return terminal.histogram(everything, width=width, unicode=console.unicode())


def _table(found: list[_Found], groups: dict[str, dict[str, Any]], everything: Magnitudes) -> str:
    bounds = terminal.octave_range(everything, _SPARKLINE_OCTAVES)
    spark = "|w|"
    if bounds:
        spark = f"|w| {terminal.edge_text(bounds[0])} .. {terminal.edge_text(bounds[1] + 1)}"
    header = ["tensor", "dtype", "shape", "form", "zeros", "bytes", "dense", spark]
    rows = [_row(one, bounds) for one in found]
    totals = []
    names = {"total": "all", "prunable": "of 2 and more dimensions", "layers": "without embeddings"}
    for key, figures in groups.items():
        share = terminal.share_text(figures["zeros"], figures["weights"])
        texts = [terminal.bytes_text(figures[which]) for which in ("bytes", "dense_bytes")]
        totals.append(
            [
                names[key],
                "",
                terminal.count_text(figures["tensors"], "tensor"),
                "",
                share,
                *texts,
                "",
            ]
        )
    return terminal.table(
        header,
        rows,
        totals,
        words={0, 1, 2, 3, 7},
        droppable=[header.index(name) for name in (spark, "form", "dense", "dtype", "shape")],
        width=console.width(),
    )


def _row(one: _Found, bounds: tuple[int, int] | None) -> list[str]:
    listed, counts = one.listed, one.magnitudes
    line = ""
    if counts is not None and bounds and counts.octaves:
        line = terminal.sparkline(counts, *bounds, unicode=console.unicode())
    return [
        printable(listed.name),
        listed.dtype,
        terminal.shape_text(listed.shape),
        "tied" if listed.alias_of is not None else listed.form,
        "-" if counts is None else terminal.share_text(counts.zeros, counts.size),
        terminal.bytes_text(listed.stored),
        terminal.bytes_text(listed.dense),
        line,
    ]
