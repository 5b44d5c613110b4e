"""The report of `prunecell prune` about the pruned tensors."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from prunecell.cli import console, terminal
from prunecell.cli.plan import Rule
from prunecell.cli.pruning import Pruned
from prunecell.cli.select import EMBEDDINGS, matches
from prunecell.cli.tensors import Listed
from prunecell.dying import may_surprise
from prunecell.shown import printable

_MEANINGS = {
    "IterNonStruct": "the smallest weights first",
    "Random": "weights drawn at random, whatever their size",
    "None": "all weights left as they are",
}


@dataclass(frozen=True)
class Done:
    """One pruned tensor, before and after, and how it was pruned."""

    before: Listed
    after: Listed
    rule: Rule
    pruned: Pruned


def _sums(done: list[Done]) -> dict[str, Any]:
    return {
        "tensors": len(done),
        "weights": sum(one.before.size for one in done),
        "zeros": sum(one.pruned.zeros for one in done),
        "dense_bytes": sum(one.before.dense for one in done),
        "bytes": sum(one.after.stored for one in done),
    }


def _groups(arguments: argparse.Namespace, done: list[Done]) -> dict[str, Any]:
    embeddings = arguments.embeddings or EMBEDDINGS
    layers = [one for one in done if not matches(one.before.name, embeddings)]
    return {"pruned": _sums(done), "layers": _sums(layers)}


def as_json(arguments: argparse.Namespace, done: list[Done]) -> dict[str, Any]:
    """The report as JSON: files, tensors and sums."""
    tensors = [
        {
            "name": one.before.name,
            "dtype": one.before.dtype,
            "shape": list(one.before.shape),
            "filler": one.rule.filler,
            "asked": one.pruned.asked,
            "zeros": one.pruned.zeros,
            "level": one.pruned.level,
            "tied": one.pruned.tied,
            "dense_bytes": one.before.dense,
            "bytes": one.after.stored,
            "form": one.after.form,
        }
        for one in done
    ]
    files = {
        "input": str(arguments.input),
        "output": str(arguments.output),
        "input_bytes": arguments.input.stat().st_size,
        "output_bytes": arguments.output.stat().st_size,
    }
    return files | {"tensors": tensors} | _groups(arguments, done)


def show(arguments: argparse.Namespace, done: list[Done]) -> None:
    """Writes a table of the tensors, how they were pruned, and the sizes of the files."""
    fillers = {one.rule.filler for one in done}
    mixed = len(fillers) > 1  # otherwise one line below names the filler
    header = ["tensor", "shape", "weights", "asked", "reached", "dense", "written", "smaller"]
    header += ["filler"] * mixed
    rows = []
    for one in done:
        shape = terminal.shape_text(one.before.shape)
        asked = terminal.share_text(one.pruned.asked)
        sums = _figures(_sums([one]))
        name, filler = printable(one.before.name), [one.rule.filler] * mixed
        rows.append([name, shape, sums[0], asked, *sums[1:], *filler])
    totals = []
    names = {"pruned": "all of these", "layers": "without embeddings"}
    for key, sums in _groups(arguments, done).items():
        texts = _figures(sums)
        count = terminal.count_text(sums["tensors"], "tensor")
        totals.append([names[key], count, texts[0], "", *texts[1:], *[""] * mixed])
    droppable = ("shape", "dense", "weights", "smaller", "written")
    table = terminal.table(
        header,
        rows,
        totals,
        words={0, 1, 8},
        droppable=[header.index(name) for name in droppable],
        width=console.width(),
    )
    console.show(f"{table}\n")
    if not mixed:
        (only,) = fillers
        console.show(f"filler: {only}, {_MEANINGS[only]}")
    before, after = (path.stat().st_size for path in (arguments.input, arguments.output))
    sizes = f"{terminal.bytes_text(before)} -> {terminal.bytes_text(after)}"
    smaller = f", {terminal.factor_text(before, after)} times smaller" if after < before else ""
    console.show(f"{arguments.output}: {sizes}{smaller}")


def _figures(sums: dict[str, Any]) -> list[str]:
    dense, stored = sums["dense_bytes"], sums["bytes"]
    return [
        f"{sums['weights']:,}",
        terminal.share_text(sums["zeros"], sums["weights"]),
        terminal.bytes_text(dense),
        terminal.bytes_text(stored),
        f"{terminal.factor_text(dense, stored)}x",
    ]


def warn_of_surprises(done: list[Done]) -> None:
    """Warns once each of steps that are too coarse, of tensors that died and of spared tensors.

    A step is too coarse where a finer one would have kept far more weights.
    """
    coarse = [one for one in done if one.pruned.overshoot > 0]
    _warn(
        sorted(coarse, key=lambda one: -one.pruned.overshoot),
        "and too much of",
        "delta {:g} is a coarse step for such weights",
    )
    _warn(
        [one for one in done if _is_dead(one) and one not in coarse],
        "and all of",
        "weights that are equal, or below one step of delta, go together; --ties keep leaves such "
        "tensors as they are",
    )
    _warn(
        [one for one in done if one.pruned.tied],
        "and nothing of",
        "all weights are equal, or below one step of delta, and stay with --ties keep",
    )


def _is_dead(one: Done) -> bool:
    whole = one.pruned.zeros == one.before.size > 0
    return whole and may_surprise(one.rule.filler, one.pruned.asked)


def _warn(named: list[Done], others: str, why: str) -> None:
    """Writes one warning that names the first tensor and counts the others."""
    if not named:
        return
    first = named[0]
    reached = terminal.share_text(first.pruned.zeros, first.before.size)
    more = terminal.count_text(len(named) - 1, "other tensor")
    alike = f", {others} {more}" if len(named) > 1 else ""
    console.complain(
        "prunecell prune",
        f"warning: {first.before.name}: asked {terminal.share_text(first.pruned.asked)}, pruned "
        f"{reached}{alike}: {why.format(first.rule.delta)}",
    )
