"""What `PruneCell.state_dict` gives: a mapping by names whose format is read before all else.

Format 2 is written. Format 1 is read for ever; it lacks what was saved only later.
"""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from prunecell._core import InvalidArgument, InvalidType
from prunecell.parameters import PARAMETERS

FORMAT = 2

# Values by their types; the native core checks their ranges, shapes and masks.
_SCHEDULE = {"current": "a number", "rises": "an integer", "counter": "an integer"}
_FIGURES = {"zeros": "an integer", "level": "an integer", "asked": "a number"}
# Those that states of format 1 may lack, and what they mean then.
_FLAGS = {"custom": "True or False", "tied": "True or False"}
_WITHOUT_FLAGS = {"custom": False, "tied": False}
_STATE = {"format": "an integer", **_SCHEDULE, "parameters": "a dict", "tensors": "a list"}
_TENSOR = {
    "shape": "a tuple of integers",
    **_FIGURES,
    **_FLAGS,
    "initialized": "True or False",
    "mask": "integers or None",
}
_KINDS = {
    "word": "a word",
    "share": "a number",
    "step": "a number",
    "count": "an integer",
    "seed": "an integer from 0 to 2**64 - 1",
    "flag": "True or False",
}
_PARAMETERS = {name: _KINDS[row.kind] for name, row in PARAMETERS.items()}
LATER_DEFAULTS = {n: row.default for n, row in PARAMETERS.items() if row.since == "later"}
"""Parameters that states may lack, since they are older."""
_FLAT = {"format": "an integer", **_PARAMETERS, **_SCHEDULE, **_FIGURES, **_FLAGS}
_FITS: dict[str, Callable[[Any], bool]] = {
    "a dict": lambda value: isinstance(value, dict),
    "a list": lambda value: isinstance(value, list | tuple),
    "a word": lambda value: isinstance(value, str),
    "a number": lambda value: not isinstance(value, str | bytes) and type(float(value)) is float,
    "an integer": lambda value: -(2**63) <= operator.index(value) < 2**63,
    "an integer from 0 to 2**64 - 1": lambda value: 0 <= operator.index(value) < 2**64,
    "True or False": lambda value: bool(value) == value,
    "a tuple of integers": lambda value: all(operator.index(n) >= 0 for n in value),
    "integers or None": lambda value: value is None or np.asarray(value).dtype.kind in "iu",
}


def read_state(state: object) -> dict[str, Any]:
    """A state of any format that is read, in that of today.

    Raises:
        InvalidType: A value of another type than `PruneCell.state_dict` gives, by name.
        InvalidArgument: Another format; a value that lacks or is not known; a tensor without mask.
    """
    _check_value("state", state, "a dict")
    given = cast(dict[str, Any], state)
    present = check_format("state", given)
    _check_values("state", given, _STATE)
    parameters = LATER_DEFAULTS | given["parameters"]
    _check_values("state['parameters']", parameters, _PARAMETERS)
    _check_known("state['parameters']", parameters, _PARAMETERS)
    tensors = []
    for number, tensor in enumerate(given["tensors"]):
        name = f"state['tensors'][{number}]"
        _check_value(name, tensor, "a dict")
        one = tensor if present == FORMAT else _WITHOUT_FLAGS | tensor
        _check_values(name, one, _TENSOR)
        if not one["initialized"]:
            raise InvalidArgument(f"{name}['initialized']: expected True, got False")
        tensors.append(one)
    return given | {"format": FORMAT, "parameters": parameters, "tensors": tensors}


def read_flat(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The values of a cell and of one of its tensors in one mapping, without shape and mask.

    Raises what `read_state` does, with `name` for what it is.
    """
    check_format(name, given)
    values = LATER_DEFAULTS | given
    _check_values(name, values, _FLAT)
    _check_known(name, values, _FLAT)
    return values


def read_pickled(state: dict[str, Any]) -> dict[str, Any]:
    """A state of the native core in a pickle of any format, as the core of today reads it."""
    parameters = LATER_DEFAULTS | state["parameters"]
    tensors = [_WITHOUT_FLAGS | tensor for tensor in state["tensors"]]
    return state | {"format": FORMAT, "parameters": parameters, "tensors": tensors}


def check_format(name: str, given: Mapping[str, Any]) -> int:
    """The format of a mapping; raises where this release cannot read it."""
    name = f"{name}['format']"
    if "format" not in given:
        raise InvalidArgument(f"{name}: expected an integer, got none")
    _check_value(name, given["format"], "an integer")
    present = operator.index(given["format"])
    if not 1 <= present <= FORMAT:
        newer = "; a newer prunecell wrote it" if present > FORMAT else ""
        raise InvalidArgument(
            f"{name}: expected 1 or {FORMAT}, which this release reads, got {present}{newer}"
        )
    return present


def _check_known(name: str, values: Mapping[str, Any], expected: dict[str, str]) -> None:
    for key in values:
        if key not in expected:
            raise InvalidArgument(
                f"{name}[{key!r}]: expected {', '.join(expected)} alone; a newer prunecell may "
                "have written it"
            )


def _check_values(name: str, values: Mapping[str, Any], expected: dict[str, str]) -> None:
    for key, kind in expected.items():
        if key not in values:
            raise InvalidArgument(f"{name}[{key!r}]: expected {kind}, got none")
        _check_value(f"{name}[{key!r}]", values[key], kind)


def _check_value(name: str, value: object, kind: str) -> None:
    try:
        if _FITS[kind](value):
            return
    except (TypeError, ValueError, OverflowError):
        pass
    got = shown(value)
    raise InvalidType(f"{name}: expected {kind}, got {got}, another type than state_dict gave")


def shown(value: object) -> str:
    """A value, cut short, and its type: for errors."""
    return f"{reprlib.repr(value)} of type {type(value).__name__}"
