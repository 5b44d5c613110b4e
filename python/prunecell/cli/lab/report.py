"""`prunecell report`: writes a run as one HTML page."""

from __future__ import annotations

import argparse

from prunecell.cli import console
from prunecell.cli.files import check_writable, write_text
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.html.page import page
from prunecell.cli.lab.runs import read_run
from prunecell.cli.terminal import count_text


def run(arguments: argparse.Namespace) -> None:
    """Runs the command.

    Raises:
        CommandError, BadFile: The output cannot be written, or the folder is not that of a run.
    """
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
