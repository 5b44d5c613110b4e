"""`prunecell report`: a run as one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from prunecell.cli import console
from prunecell.cli.files import check_writable, write_text
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.html.page import page
from prunecell.cli.lab.runs import read_run
from prunecell.cli.parser import Commands, add_command
from prunecell.cli.terminal import count_text

_EXAMPLES = """\
prunecell report run -o report.html
prunecell report run -o report.html --title 'LeNet at 90 %' --json
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = add_command(
        commands,
        "report",
        summary="Writes what a training run did as one HTML page.",
        more="The page needs no network and no script: sparsity, threshold, accuracy and loss over "
        "time, layers, weights before and after, bytes. A run that is not finished is shown as "
        "far as it is.",
        examples=_EXAMPLES,
        run=_run,
    )
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="folder that prunecell train wrote"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="HTML", help="file to write"
    )
    parser.add_argument("--title", metavar="TEXT", help="headline (default: network and data)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def _run(arguments: argparse.Namespace) -> None:
    check_writable(arguments.output)
    run = read_run(Folder(arguments.folder))
    write_text(arguments.output, page(run, arguments.title))
    if arguments.json:
        last = run.epochs[-1] if run.epochs else None
        console.show_json(
            {
                "output": str(arguments.output),
                "epochs": len(run.epochs),
                "planned": run.planned,
                "accuracy": None if last is None else last.accuracy,
                "sparsity": None if last is None else last.sparsity,
                "dense_bytes": sum(one.dense for one in run.bytes) or None,
                "file_bytes": run.file_bytes or None,
            }
        )
    else:
        planned = count_text(run.planned, "epoch")
        console.show(f"{arguments.output}: {len(run.epochs):,} of {planned}")
