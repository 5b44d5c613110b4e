"""The pruner's parameters: names in INI files and in Python, defaults, and what is accepted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from prunecell.parameters import FILLERS, MODES, QUANT_MODES, TIES, Parameters

from .errors import shorten
from .values import Value

Keyword = str | float | int


@dataclass(frozen=True)
class Parameter:
    """One parameter: `ini` is its key after "QWeight.", `python` its keyword in PruneCell.

    A `default` of None means that the keyword is given only when the file gives it.
    """

    ini: str
    python: str
    default: Keyword | None
    read: Callable[[Value], Keyword]


def _mode(value: Value) -> str:
    return value.choice(MODES)


def _filler(value: Value) -> str:
    return value.choice(FILLERS)


def _fraction(value: Value) -> float:
    number = value.number()
    if not 0.0 <= number <= 1.0:
        # "0,300" is three hundred: say so, or the message would puzzle half of Europe.
        read_as = f", read as {number:g}" if "," in value else ""
        raise value.error(f"expected a number from 0 to 1, got {shorten(value)}{read_as}")
    return number


def _delta(value: Value) -> float:
    number = value.number()
    # The grid of levels is computed in float32, where a tiny delta would be no step at all.
    if struct.unpack("<f", struct.pack("<f", number))[0] <= 0.0:
        raise value.error(f"expected a number above 0, as a 32-bit float too; got {shorten(value)}")
    return number


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("PruningMode", "prune_mode", Parameters.prune_mode, _mode),
    Parameter(
        "PruningFiller",
        "prune_filler",
        Parameters.prune_filler,
        _filler,
    ),
    Parameter("Threshold", "threshold", Parameters.threshold, _fraction),
    Parameter("Delta", "delta", Parameters.delta, _delta),
    Parameter("StartThreshold", "start", Parameters.start, _fraction),
    Parameter("StepSizeThreshold", "stepsize", Parameters.stepsize, lambda value: value.integer()),
    Parameter("GammaThreshold", "gamma", Parameters.gamma, _fraction),
    Parameter("Ties", "ties", None, lambda value: value.choice(TIES)),
    Parameter("QuantMode", "quant_mode", None, lambda value: value.choice(QUANT_MODES)),
    Parameter("Range", "range", None, lambda value: value.integer()),
)
NAMES = tuple(parameter.ini for parameter in PARAMETERS)
LEGAL_KEYS = ("QWeight", *(f"QWeight.{name}" for name in NAMES))
