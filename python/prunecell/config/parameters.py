"""The pruner's parameters in INI files: their keys, and how a value is read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from prunecell._core import Parameter as Row
from prunecell.parameters import PARAMETERS as TABLE
from prunecell.parameters import QUANT_MODES

from .errors import shorten
from .values import Value

Keyword = str | float | int


@dataclass(frozen=True)
class Parameter:
    """One parameter: `ini` is its key after "QWeight.", `python` its keyword in PruneCell.

    A `default` of None means that the keyword is given only when the file gives it, and written
    only where it is not `assumed`, since the reference does not know or use it.
    """

    ini: str
    python: str
    default: Keyword | None
    assumed: Keyword | None
    read: Callable[[Value], Keyword]


def _share(value: Value) -> float:
    number = value.number()
    if not 0.0 <= number <= 1.0:
        # "0,300" is three hundred: say so, or the message would puzzle half of Europe.
        read_as = f", read as {number:g}" if "," in value else ""
        raise value.error(f"expected a number from 0 to 1, got {shorten(value)}{read_as}")
    return number


def _step(value: Value) -> float:
    number = value.number()
    # The grid of levels is computed in float32, where a tiny delta would be no step at all.
    if struct.unpack("<f", struct.pack("<f", number))[0] <= 0.0:
        raise value.error(f"expected a number above 0, as a 32-bit float too; got {shorten(value)}")
    return number


def _reader(row: Row) -> Callable[[Value], Keyword]:
    if row.kind == "word":
        return lambda value: value.choice(row.words)
    return {
        "share": _share,
        "step": _step,
        "count": lambda value: value.integer(),
    }[row.kind]


def _default(row: Row) -> Keyword | None:
    return row.default if row.since == "reference" else None


PARAMETERS: tuple[Parameter, ...] = (
    *(
        Parameter(row.ini_key, name, _default(row), row.default, _reader(row))
        for name, row in TABLE.items()
        if row.ini_key
    ),
    Parameter("QuantMode", "quant_mode", None, None, lambda value: value.choice(QUANT_MODES)),
    Parameter("Range", "range", None, None, lambda value: value.integer()),
)
NAMES = tuple(parameter.ini for parameter in PARAMETERS)
LEGAL_KEYS = ("QWeight", *(f"QWeight.{name}" for name in NAMES))
