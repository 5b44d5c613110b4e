"""One wording for everything that is wrong with a file."""

from __future__ import annotations

import reprlib
from pathlib import Path

from prunecell._core import BadFile

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


def _shown(value: object) -> str:
    """A value on one line, and short."""
    if isinstance(value, _Said):
        return str(value) if len(value) <= 200 else f"{value[:200]}..."
    return _SHORT.repr(value)


class _Said(str):
    """Words of ours, shown without quotes."""


def said(text: str) -> str:
    """Marks words of our own for `bad_file`, which quotes everything else."""
    return _Said(text)
