"""The calls of functions that torch writes into files of tensors; all others are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from prunecell.shown import printable

# Nodes in the place of a pickle's values; numbers, text, None and lists stand for themselves.


class Tuple(list[Any]):
    """Items that stay as they are."""


class Dict(list[Any]):
    """Keys and values by turns."""


class Made(list[Any]):
    """The result of a call: the function, its arguments, its later state and items."""


class Name(str):
    """A function or class, by its full name."""

    __slots__ = ()


class UnfitPickleError(Exception):
    """A pickle asks for more than any file of tensors; the message says what was expected."""


def foreign(name: str) -> str:
    """The message about a class or function that is not for tensors."""
    return (
        "expected tensors in dictionaries and lists, found a "
        f"{printable(name[:100])}; objects are not loaded, as that could run code. "
        "Save model.state_dict() instead"
    )


def hashed(function: str, given: list[Any]) -> list[Any]:
    """The keys that a call puts into a hash table.

    Raises:
        UnfitPickleError: The call is not for tensors, or has other arguments than torch writes.
    """
    match [function, *given]:
        case ["builtins.set", list() as keys] if type(keys) is list:
            return keys
        case ["collections.Counter", Dict() as pairs]:
            return pairs[::2]
        case ["collections.OrderedDict", list() as pairs] if type(pairs) is list:  # by Python 2
            if {type(pair) for pair in pairs} <= {list, Tuple}:
                return [pair[0] for pair in pairs]
    if function not in _FITS or not _FITS[function](given):
        raise UnfitPickleError(foreign(function))
    return []


def elements(made: list[Any]) -> int:
    """The number of elements by a tensor's shape, which overlapping strides leave free."""
    return math.prod(_shape(made[1]) or ()) if made[0] in _TENSORS else 0


def _shape(given: list[Any]) -> list[int] | None:
    shape = given[2]
    if type(shape) is Made and shape[0] == "torch.Size":
        shape = shape[1][0]
    if type(shape) is not Tuple or not _are(shape, int) or min(shape, default=0) < 0:
        return None
    return shape


def _are(items: list[Any], kind: type | tuple[type, ...]) -> bool:
    return all(isinstance(one, kind) for one in items)


def _is_bytes(given: list[Any]) -> bool:
    """Whether a bytearray is made of text, not of a number, which would be its size."""
    if given and isinstance(given[0], str):
        return given[1:] == ["latin-1"]
    return all(type(one) is Made and one[0] == "_codecs.encode" for one in given)


def _is_plain(given: list[Any]) -> bool:
    """Whether lists have numbers alone: torch makes tensors of other lists element by element."""
    parts = [part for one in given for part in (one if type(one) is Tuple else [one])]
    return all(_are(one, (int, float)) for one in parts if type(one) in (list, Tuple))


def _is_tensor(given: list[Any]) -> bool:
    return _is_plain(given) and _shape(given) is not None


def _has_attributes(given: list[Any]) -> bool:
    """Whether the state has no attribute that copies elements or a tensor when it is set."""
    state = given[-1]
    return type(state) is Dict and not any(key in ("data", "real", "imag") for key in state[::2])


FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
"""Calls its first argument with its third."""
_TENSORS = {
    f"torch._utils._rebuild_{kind}" for kind in ("tensor", "tensor_v2", "tensor_v3", "qtensor")
}
_OTHERS = {
    f"torch._utils._rebuild_{kind}"
    for kind in ("parameter", "sparse_tensor", "nested_tensor", "meta_tensor_no_storage")
}
# Functions that copy tensors to other devices or types are left out.
_FITS: dict[str, Callable[[list[Any]], bool]] = {
    "collections.OrderedDict": lambda given: not given,
    "_codecs.encode": lambda given: _are(given[:1], str) and given[1:] == ["latin1"],
    "builtins.bytearray": _is_bytes,
    "builtins.complex": lambda given: _are(given, float),
    "torch.Size": lambda given: all(type(one) is Tuple and _are(one, int) for one in given),
    "torch.device": lambda given: _are(given, (str, int)),
    "torch.serialization._get_layout": lambda given: _are(given, str),
    "torch._utils._rebuild_parameter_with_state": _has_attributes,
    FROM_TYPE: lambda given: len(given) == 4 and _has_attributes(given),
    **dict.fromkeys(_TENSORS, _is_tensor),
    **dict.fromkeys(_OTHERS, _is_plain),
}
