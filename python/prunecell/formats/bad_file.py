"""`BadFile` errors, all in one wording."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunecell._core import BadFile, Error
from prunecell.limits import MAX_SHOWN_CHARS
from prunecell.shown import printable

# A value of a hostile file may be of any size.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlong = 60
_SHORT.maxlist = 8
_SHORT.maxlevel = 2


def bad_file(path: Path, tensor: str | None, expected: str, got: object) -> BadFile:
    """A BadFile, for the caller to raise: file, tensor, what was expected, what was found."""
    where = f"{path}: " if tensor is None else f"{path}: tensor {_shown(tensor)}: "
    return BadFile(f"{where}expected {expected}, got {_shown(got)}")


@contextmanager
def reading(path: Path, expected: str, tensor: str | None = None) -> Iterator[None]:
    """Turns whatever a reader of damaged bytes raises into a BadFile.

    Errors of the system and of memory pass: they are no fault of the bytes.
    """
    try:
        yield
    except (Error, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        first = (str(error).strip() or "nothing").splitlines()[0]
        raise bad_file(path, tensor, expected, said(f"{type(error).__name__}: {first}")) from None


def _shown(value: object) -> str:
    """A value on one line, and short."""
    if isinstance(value, _Said):
        text = printable(value[:MAX_SHOWN_CHARS])
        return text if len(value) <= MAX_SHOWN_CHARS else f"{text}..."
    return _SHORT.repr(value)


class _Said(str):
    """Words that `bad_file` shows without quotes."""


def said(text: str) -> str:
    """The text as words that `bad_file` shows without quotes."""
    return _Said(text)
