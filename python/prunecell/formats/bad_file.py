"""One wording for everything that is wrong with a file."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunecell._core import BadFile, Error
from prunecell.limits import MAX_SHOWN_CHARS
from prunecell.shown import printable

# What comes from a hostile file may be of any size.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlong = 60
_SHORT.maxlist = 8
_SHORT.maxlevel = 2


def bad_file(path: Path, tensor: str | None, expected: str, got: object) -> BadFile:
    """The error, to be raised by the caller: file, tensor, what was expected, what came."""
    where = f"{path}: " if tensor is None else f"{path}: tensor {_shown(tensor)}: "
    return BadFile(f"{where}expected {expected}, got {_shown(got)}")


@contextmanager
def reading(path: Path, expected: str, tensor: str | None = None) -> Iterator[None]:
    """Makes a BadFile of whatever a reader of damaged bytes raises.

    What the system says of the file, and memory that runs out, are no fault of its bytes.
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
    """Words of ours, shown without quotes."""


def said(text: str) -> str:
    """Marks words of our own for `bad_file`, which quotes everything else."""
    return _Said(text)
