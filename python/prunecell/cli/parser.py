"""The parser of all commands: one line for a mistake, examples in every help text."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from prunecell.cli import console
from prunecell.cli.select import EMBEDDINGS
from prunecell.config.errors import suggestion

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object
Run = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """A parser whose errors have one line, without the usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuses unknown arguments in the name of their command.

        Options come first: a misspelt option is often missing under its right name.
        """
        unknown = self._unknown_options(sys.argv[1:] if args is None else args)
        if not unknown:
            namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = self._option_string_actions
            named = (one + suggestion(one.split("=")[0], options) for one in unknown)
            self.error(f"unrecognized arguments: {' '.join(named)}")
        return namespace, []

    def _unknown_options(self, args: Sequence[str]) -> list[str]:
        if self._subparsers is None:
            own = takewhile(lambda one: one != "--", args)
        else:  # the rest are arguments of the command
            own = takewhile(lambda one: one.startswith("-"), args)
        # argparse takes words with spaces for values.
        options = (one for one in own if one.startswith("--") and " " not in one)
        return [one for one in options if one.split("=")[0] not in self._option_string_actions]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(action.choices)
            near = suggestion(value, action.choices)
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r}{near}, choose from {known}"
            )

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is None or file is not sys.stdout:
            console.mutter(message)
        else:
            console.show(message.removesuffix("\n"))

    def error(self, message: str) -> NoReturn:
        """Ends with exit code 2."""
        message = message.replace("argument ", "", 1)
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_command(
    commands: Commands, name: str, *, summary: str, more: str, examples: str, run: Run
) -> argparse.ArgumentParser:
    """Adds a command and returns its parser, for the caller to add arguments to."""
    description = "\n".join(textwrap.wrap(f"{summary} {more}", 79))
    indented = "\n".join(f"  {line}" for line in examples.strip().splitlines())
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples:\n{indented}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, command=name)
    return parser


def add_patterns(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose tensors by name."""
    repeated: dict[str, Any] = {"action": "append", "default": [], "metavar": "PATTERN"}
    known = " ".join(EMBEDDINGS)
    for option, text in (
        ("--include", "only tensors of these names (* and ? stand for anything); may be repeated"),
        ("--exclude", "no tensors of these names; may be repeated"),
        ("--embeddings", f"names that count as embeddings in the figures (default: {known})"),
    ):
        parser.add_argument(option, **repeated, help=text)
