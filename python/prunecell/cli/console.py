"""What a command writes to its standard output and its standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from typing import Any, TextIO

from prunecell.cli.errors import CommandError
from prunecell.shown import printable

_WIDEST = 140


def is_terminal(stream: TextIO | None) -> bool:
    """None is what Python has in place of a stream that was closed before it began."""
    return stream is not None and stream.isatty()


def width() -> int:
    """Columns of the terminal; where there is none, what a wide one has."""
    if not is_terminal(sys.stdout):
        return _WIDEST
    return min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)


def unicode() -> bool:
    """Whether block characters can be written."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def safe(text: str) -> str:
    """Lines that cannot drive a terminal: all that a command writes goes through here."""
    return "\n".join(map(printable, text.split("\n")))


def show(text: str) -> None:
    """Writes lines; characters that the terminal's encoding lacks become escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    _write(safe(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _discard(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough
            raise
        why = os.strerror(error.errno or 0).lower()
        raise CommandError(f"standard output cannot be written: {why}") from None


def _discard(stream: TextIO) -> None:
    """What is left in a stream that cannot be written: Python would fail once more in the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(program: str, message: object) -> None:
    """One line on stderr, if anybody listens."""
    mutter(f"{program}: {' '.join(str(message).split())}\n")


def mutter(text: str) -> None:
    """Lines on stderr, if anybody listens."""
    draw(safe(text))


def draw(text: str) -> None:
    """Text on stderr, with what drives a terminal in it, if anybody listens."""
    with suppress(ValueError, AttributeError):  # closed, or None
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)


def show_json(value: dict[str, Any]) -> None:
    """Writes one JSON object."""
    # json escapes every character that a terminal minds but one.
    _write(json.dumps(value, indent=1, allow_nan=False).replace("\x7f", "\\u007f") + "\n")
