"""The prune_state of format 1, int64[19], which is read for ever and not written any more."""

from __future__ import annotations

import struct
from typing import Any

from torch import Tensor

from prunecell._core import InvalidArgument
from prunecell.saved_state import LATER_DEFAULTS

# The values in order: "i" integers, "d" bits of a float64, "Q" of a uint64.
_FIELDS = {
    "format": "i",
    "prune_mode": "i",
    "prune_filler": "i",
    "threshold": "d",
    "delta": "d",
    "start": "d",
    "stepsize": "i",
    "gamma": "d",
    "in_place": "i",
    "seed": "Q",
    "current": "d",
    "rises": "i",
    "counter": "i",
    "zeros": "i",
    "level": "i",
    "asked": "d",
    "custom": "i",
    "ties": "i",
    "tied": "i",
}
# Values of states from before "custom", and then "ties" and "tied", were saved; they are 0.
_SHORTER = (16, 17)
# Words by their numbers.
_MODES = ("Identity", "Static", "Gradual")
_FILLERS = ("None", "Random", "IterNonStruct")
_TIES = ("prune", "keep")
_RANGES = {
    "in_place": (0, 1),
    "level": (0, 2**63 - 1),
    "asked": (0, 1),
    "custom": (0, 1),
    "ties": (0, 1),
    "tied": (0, 1),
}


def decode_format_1(given: Tensor, key: str) -> dict[str, Any]:
    """The values of an int64 prune_state by name; raises InvalidArgument naming the key."""
    if given.dim() != 1 or len(given) not in (len(_FIELDS), *_SHORTER):
        got = f"{given.dtype} of shape {tuple(given.shape)}"
        raise InvalidArgument(f"{key}: expected int64[{len(_FIELDS)}], got {got}")
    numbers = given.tolist()
    numbers += [0] * (len(_FIELDS) - len(numbers))
    out = {n: _value(numbers[i], kind) for i, (n, kind) in enumerate(_FIELDS.items())}
    if out["format"] != 1:
        raise InvalidArgument(f"{key}: expected format 1 of an int64 state, got {out['format']}")
    if not (0 <= out["prune_mode"] < len(_MODES) and 0 <= out["prune_filler"] < len(_FILLERS)):
        raise InvalidArgument(f"{key}: expected numbers of a known mode and filler")
    for name, (low, high) in _RANGES.items():
        if not low <= out[name] <= high:  # NaN neither
            raise InvalidArgument(
                f"{key}: expected {name} from {low} to {high}, got {name} {out[name]}"
            )
    flags = {name: bool(out[name]) for name in ("in_place", "custom", "tied")}
    words = {
        "prune_mode": _MODES[out["prune_mode"]],
        "prune_filler": _FILLERS[out["prune_filler"]],
        "ties": _TIES[out["ties"]],
    }
    return LATER_DEFAULTS | out | flags | words


def _value(number: int, kind: str) -> Any:
    return number if kind == "i" else struct.unpack("<" + kind, struct.pack("<q", number))[0]
