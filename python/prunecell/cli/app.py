"""`main`: runs a command and returns its exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from prunecell_cli.exit_code import INTERRUPTED

from prunecell import Error, __version__
from prunecell.cli import console, inspect, prune
from prunecell.cli.errors import CommandError
from prunecell.cli.lab import commands as lab
from prunecell.cli.parser import Parser
from prunecell.config import ConfigError


def _parser() -> Parser:
    parser = Parser(
        prog="prunecell",
        description="Prunes neural networks, and shows what is in their files.",
        epilog="exit codes: 0 done, 1 it failed, 2 the command line cannot be meant",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"prunecell {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in (inspect, prune, lab):
        command.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: Arguments without the program's name; None: the arguments of the process.

    Returns:
        0 done, 1 failure, 2 usage error, 130 interrupted.
    """
    _fill_closed()
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # argparse ends so after help, version and mistakes
        console.draw("")  # notices a closed stderr, which argparse ignores
        return int(end.code or 0)
    except CommandError as error:  # help that cannot be written
        console.complain("prunecell", error)
        return error.code
    except BrokenPipeError:
        return 1
    program = f"prunecell {arguments.command}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_rest, **_more: console.complain(
            program, f"warning: {message}"
        )
        code, complaint = _run(arguments)
    if complaint:
        console.complain(program, complaint)
    return code


def _run(arguments: argparse.Namespace) -> tuple[int, str]:
    """The exit code of a command, and its complaint or ""."""
    if sys.stdout is None:
        return 1, "expected a standard output to write to, it is closed"
    try:
        arguments.run(arguments)
    except CommandError as error:
        code, complaint = error.code, str(error)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        code, complaint = 1, ""
    except (Error, ConfigError, OSError) as error:
        code, complaint = 1, _text(error)
    except MemoryError as error:
        code, complaint = 1, f"not enough memory: {error}"
    except KeyboardInterrupt:
        code, complaint = INTERRUPTED, "interrupted"
    else:
        code, complaint = 0, ""
    return code, complaint


def _fill_closed() -> None:
    """Opens closed standard streams, whose numbers later files would get otherwise."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _text(error: Any) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return f"{error.filename}: {os.strerror(error.errno).lower()}"
    return str(error)
