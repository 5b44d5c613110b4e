"""What `PruneCell.state_dict` gives, value by value."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from prunecell._core import InvalidArgument, InvalidType

# The values of a state by their types; the native core checks their ranges, shapes and masks.
_STATE = {
    "format": "an integer",
    "current": "a number",
    "rises": "an integer",
    "counter": "an integer",
    "parameters": "a dict",
    "tensors": "a list",
}
_PARAMETERS = {
    "prune_mode": "a word",
    "prune_filler": "a word",
    "threshold": "a number",
    "delta": "a number",
    "start": "a number",
    "stepsize": "an integer",
    "gamma": "a number",
    "in_place": "True or False",
    "seed": "an integer from 0 to 2**64 - 1",
}
# Those that states from before they were saved lack.
_LATER_PARAMETERS = {"ties": "a word"}
_LATER_OF_TENSOR = {"custom": "True or False", "tied": "True or False"}
_TENSOR = {
    "shape": "a tuple of integers",
    "zeros": "an integer",
    "level": "an integer",
    "asked": "a number",
    "initialized": "True or False",
    "mask": "integers or None",
}
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


def check_state(state: object) -> None:
    """Refuses by name what has another type than `PruneCell.state_dict` gives."""
    _check_value("state", state, "a dict")
    checked = cast(dict[str, Any], state)
    _check_values("state", checked, _STATE)
    parameters = checked["parameters"]
    _check_values(
        "state['parameters']", parameters, _PARAMETERS | _given(parameters, _LATER_PARAMETERS)
    )
    for number, tensor in enumerate(checked["tensors"]):
        name = f"state['tensors'][{number}]"
        _check_value(name, tensor, "a dict")
        _check_values(name, tensor, _TENSOR | _given(tensor, _LATER_OF_TENSOR))
        if not tensor["initialized"]:
            raise InvalidArgument(f"{name}['initialized']: expected True, got False")


def _given(values: dict[str, Any], later: dict[str, str]) -> dict[str, str]:
    return {key: kind for key, kind in later.items() if key in values}


def _check_values(name: str, values: dict[str, Any], expected: dict[str, str]) -> None:
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
