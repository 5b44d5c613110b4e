"""Output of a command to its standard output and its standard error."""

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
    """Whether `stream` is a terminal; None stands for a stream that was closed from the start."""
    return stream is not None and stream.isatty()


def width() -> int:
    """Columns of the terminal, at most _WIDEST; _WIDEST where there is none."""
    if not is_terminal(sys.stdout):
        return _WIDEST
    return min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)


def unicode() -> bool:
    """Whether block characters can be written."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def safe(text: str) -> str:
    """The text without characters that drive a terminal; all output goes through here."""
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
    """Drops the rest of a stream that cannot be written, or Python fails once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(program: str, message: object) -> None:
    """Writes one line to stderr, if that is open."""
    mutter(f"{program}: {' '.join(str(message).split())}\n")


def mutter(text: str) -> None:
    """Writes lines to stderr, if that is open."""
    draw(safe(text))


def draw(text: str) -> None:
    """Writes text that may drive a terminal to stderr, if that is open."""
    with suppress(ValueError, AttributeError):  # closed, or None
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)


def show_json(value: dict[str, Any]) -> None:
    """Writes one JSON object."""
    # json escapes all characters that drive a terminal except DEL.
    _write(json.dumps(value, indent=1, allow_nan=False).replace("\x7f", "\\u007f") + "\n")
