"""Python values as typed arguments: what has the wrong type is refused here, by name.

Ranges of numbers are checked by the native core, but for integers that would not fit into it.
"""

from __future__ import annotations

import difflib
import numbers
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from prunecell._core import InvalidArgument, InvalidType
from prunecell.parameters import LEGAL, PARAMETERS, QUANT_MODES, Parameters


def _wrong_type(name: str, expected: str, value: object) -> InvalidType:
    return InvalidType(f"{name}: expected {expected}, got {value!r} of type {type(value).__name__}")


def _number(name: str, value: object) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise InvalidArgument(f"{name}: expected a float64 number, got a larger one") from None
    raise _wrong_type(name, "a number", value)


def _integer(name: str, value: object) -> int:
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise _wrong_type(name, "an integer", value)


def _bounded(name: str, value: object, bits: int) -> int:
    number = _integer(name, value)
    if not 0 <= number < 2**bits:
        raise InvalidArgument(f"{name}: expected an integer from 0 to 2**{bits} - 1, got {number}")
    return number


def _word(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise _wrong_type(name, "a word", value)


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong_type(name, "True or False", value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "word": _word,
    "share": _number,
    "step": _number,
    "count": partial(_bounded, bits=63),
    "seed": partial(_bounded, bits=64),
    "flag": _flag,
}


def parse(given: Mapping[str, Any]) -> Parameters:
    """Typed parameters from keywords.

    Raises:
        InvalidType: An unknown name (listing the legal ones) or a value of the wrong type.
        InvalidArgument: An integer out of range.
    """
    for name in given:
        if name not in LEGAL:
            near = difflib.get_close_matches(name, LEGAL, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InvalidType(f"unknown parameter {name!r}{hint} Known: {', '.join(LEGAL)}")
    _check_unused(given)
    read = {n: _READERS[one.kind](n, given[n]) for n, one in PARAMETERS.items() if n in given}
    return Parameters(**read)


def parse_rule(filler: object, threshold: object, delta: object, seed: object) -> dict[str, Any]:
    """The typed arguments of a rebuild; ranges of the numbers are checked by the native core."""
    return {
        "filler": _word("filler", filler),
        "threshold": _number("threshold", threshold),
        "delta": _number("delta", delta),
        "seed": _bounded("seed", seed, 64),
    }


def parse_index(value: object, count: int) -> int:
    """The number of a tensor of a cell that has `count` of them."""
    index = _integer("index", value)
    if not 0 <= index < count:
        raise InvalidArgument(
            f"index: expected a number less than {count}, the tensors of the cell, got {index}"
        )
    return index


def parse_batch_size(value: object) -> int:
    """The argument of `update`: samples since the last one, an integer >= 0."""
    if type(value) is int and 0 <= value < 2**63:  # at every training step
        return value
    return _bounded("batch_size", value, 63)


def _check_unused(given: Mapping[str, Any]) -> None:
    mode = given.get("quant_mode")
    if mode is not None and _word("quant_mode", mode) not in QUANT_MODES:
        raise InvalidArgument(f"quant_mode: expected one of {', '.join(QUANT_MODES)}, got {mode!r}")
    if given.get("range") is not None:
        _bounded("range", given["range"], 63)
