"""`prunecell prune`: prunes a file of tensors, one tensor at a time."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from prunecell import InvalidArgument, PruneCell, UnreachableThreshold
from prunecell.cli import console, plan, terminal
from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.files import check_writable
from prunecell.cli.parser import Commands, add_command, add_patterns
from prunecell.cli.plan import Rule
from prunecell.cli.progress import Progress
from prunecell.cli.prune_outcome import Done, as_json, show, warn_of_surprises
from prunecell.cli.pruning import Pruned, prune
from prunecell.cli.tensors import (
    Listed,
    Source,
    kind_of,
    open_source,
    other_entries,
    writing,
)
from prunecell.keys import Keys
from prunecell.parameters import PARAMETERS

_EXAMPLES = """\
prunecell prune model.safetensors small.safetensors --threshold 0.9
prunecell prune model.pt small.safetensors --threshold 0.8 --delta 1e-4 --exclude '*embed*'
prunecell prune weights.npz sparse.npz --threshold 0.5 --filler Random --seed 7
prunecell prune model.safetensors small.safetensors --config layers.ini
"""
# Options that are parameters of a cell, and which.
_RULE = {
    "threshold": PARAMETERS["threshold"],
    "filler": PARAMETERS["prune_filler"],
    "delta": PARAMETERS["delta"],
    "seed": PARAMETERS["seed"],
    "ties": PARAMETERS["ties"],
}
# Suffixes of tensors that a model of prunecell.torch saves with a weight, whatever its name here.
_TRAINING = (".prune_mask", ".prune_state", ".prune_dense")


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = add_command(
        commands,
        "prune",
        summary="Prunes the weights of a file, one tensor at a time.",
        more="Takes every floating tensor of two or more dimensions, embeddings included, unless "
        "excluded. Reads safetensors, .npz and torch files; the suffix of OUT says what is "
        "written: .safetensors (packed), .npz, .pt, .pth or .bin (dense).",
        examples=_EXAMPLES,
        run=_run,
    )
    take = parser.add_argument
    take("input", type=Path, metavar="IN", help="file to read")
    take("output", type=Path, metavar="OUT", help="file to write, or to replace")
    take("--threshold", type=float, metavar="SHARE", help=_meaning("threshold"))
    take("--filler", choices=_RULE["filler"].words, help=_with_default("filler"))
    take("--delta", type=float, metavar="STEP", help=_with_default("delta"))
    take("--seed", type=int, metavar="N", help=_with_default("seed"))
    take("--ties", choices=_RULE["ties"].words, help=_with_default("ties"))
    add_patterns(parser)
    take("--config", metavar="INI", help="prune what its sections name, as they say")
    take("--dense", action="store_true", help="write .safetensors dense, for readers of dense ones")
    take("--json", action="store_true", help="write JSON")


def _meaning(option: str) -> str:
    doc = _RULE[option].doc
    return doc[0].lower() + doc[1:].rstrip(".")


def _with_default(option: str) -> str:
    return f"{_meaning(option)} (default: {_RULE[option].operation_default})"


def _run(arguments: argparse.Namespace) -> None:
    kind = kind_of(arguments.output)
    check_writable(arguments.output)
    cell = None if arguments.config is not None else _cell(arguments)
    with closing(open_source(arguments.input)) as source:
        if arguments.output.exists() and arguments.output.samefile(arguments.input):
            raise UsageError(f"{arguments.output}: IN and OUT are one file; write another one")
        _say_what_is_lost(source, kind)
        tensors = _without_training_state(source)
        if cell is None:
            rules = _by_config(arguments, tensors)
        else:
            rules = plan.by_options(tensors, cell, arguments.include, arguments.exclude)
        pruned = _write(source, tensors, rules, arguments)
        before = source.tensors
    with closing(open_source(arguments.output)) as written:
        done = [Done(before[n], written.tensors[n], rules[n], pruned[n]) for n in rules]
    warn_of_surprises(done)
    if arguments.json:
        console.show_json(as_json(arguments, done))
    else:
        show(arguments, done)


def _cell(arguments: argparse.Namespace) -> PruneCell:
    """The options as a cell, which checks them."""
    if arguments.threshold is None:
        raise UsageError("expected --threshold SHARE or --config INI")
    options = {one.name: getattr(arguments, option) for option, one in _RULE.items()}
    given: Any = {name: value for name, value in options.items() if value is not None}
    defaults: Any = {one.name: one.operation_default for one in _RULE.values()}
    try:
        return PruneCell(prune_mode="Static", **(defaults | given))
    except InvalidArgument as error:
        raise UsageError(f"--{error}") from None


def _by_config(arguments: argparse.Namespace, tensors: dict[str, Listed]) -> dict[str, Rule]:
    options = ("threshold", "filler", "delta", "ties", "include", "exclude")
    given = [f"--{name}" for name in options if getattr(arguments, name) not in (None, [])]
    if given:
        raise UsageError(f"--config says what is pruned and how: leave out {', '.join(given)}")
    seed = arguments.seed or 0
    try:
        PruneCell(seed=seed)
    except InvalidArgument as error:
        raise UsageError(f"--{error}") from None
    return plan.by_config(tensors, arguments.config, seed)


def _say_what_is_lost(source: Source, kind: str) -> None:
    """Warns of entries that are no tensors and are lost unless both files are torch files."""
    if source.others and (source.kind, kind) != ("torch", "torch"):
        console.complain(
            "prunecell prune",
            f"warning: left out: {other_entries(source)} (such as {source.others[0]})",
        )


def _without_training_state(source: Source) -> dict[str, Listed]:
    """The tensors without masks of a training run, which would not fit the pruned weights."""
    added = {key for name in source.tensors for key in Keys.beside(name).added}
    stale = [name for name in source.tensors if name.endswith(_TRAINING) or name in added]
    if stale:
        console.complain(
            "prunecell prune",
            f"warning: left out: {terminal.count_text(len(stale), 'tensor')} of a training run's "
            f"pruning (such as {stale[0]}), which the new zeros do not fit",
        )
    return {name: one for name, one in source.tensors.items() if name not in stale}


def _write(
    source: Source,
    tensors: dict[str, Listed],
    rules: dict[str, Rule],
    arguments: argparse.Namespace,
) -> dict[str, Pruned]:
    pruned: dict[str, Pruned] = {}
    total = sum(one.dense for one in tensors.values())
    pack = not arguments.dense
    with (
        Progress("pruning", total) as progress,
        writing(arguments.output, source, pack=pack) as sink,
    ):
        for name, listed in tensors.items():
            first = listed.first_name
            if first != name and first in tensors and sink.add_alias(name, first):
                continue
            tensor = source.read(name)
            if first in rules:
                try:
                    pruned[first] = prune(tensor, rules[first])
                except UnreachableThreshold as error:
                    raise CommandError(f"{arguments.input}: tensor {name!r}: {error}") from None
            sink.add(name, tensor)
            progress.advance(listed.dense, name)
    return pruned
