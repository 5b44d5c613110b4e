"""The saved form of a pruned cell in a model's state_dict.

A pruned cell adds to its keys `<module>.prune_mask`, uint8[rows, ceil(columns / 8)] (the saved form
of `Mask`), and `<module>.prune_state`, int64[19]; a cell that is not in place adds
`<module>.prune_dense`, the full-precision weights. Of a parameter that is no `weight` they begin
with its name, as `<module>.<parameter>_prune_mask`. All are tensors; mode Identity has no mask.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prunecell._core import InvalidArgument
from prunecell.keys import Keys
from prunecell.parameters import FILLERS, MODES, TIES
from prunecell.quantizer import PruneCell
from prunecell.torch.masking import alike
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.pruned_weight import PrunedWeight

Rows = NDArray[np.uint8]

_FORMAT = 1
# The int64 values of prune_state in order: "i" integers, "d" bits of a float64, "Q" of a uint64.
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
_SHORTER = (16, 17)  # values of states from before "custom", and then "ties" and "tied", were saved
# Of the values that are not compared with the cell's own; the native core checks the others.
_RANGES = {
    "in_place": (0, 1),
    "level": (0, 2**63 - 1),
    "asked": (0, 1),
    "custom": (0, 1),
    "ties": (0, 1),
    "tied": (0, 1),
}


def save(
    one: PrunedWeight,
    parameter: str,
    _module: nn.Module,
    out: dict[str, Any],
    prefix: str,
    _: Any,
) -> None:
    """A state_dict post-hook. What it gives out shares memory with the weight."""
    one.check_held()
    mask_outgoing([one])
    if one.compressed:
        return  # the state_dict of a compressed model is dense
    out.update(_encode(one, Keys.of(prefix, parameter)))


def _encode(one: PrunedWeight, keys: Keys) -> dict[str, Tensor]:
    """The keys that a pruned cell adds."""
    values = values_of(one.quantizer, one.index)
    values["prune_mode"] = MODES.index(values["prune_mode"])
    values["prune_filler"] = FILLERS.index(values["prune_filler"])
    values["ties"] = TIES.index(values["ties"])
    out = {keys.state: torch.tensor([_to_int64(values[k], t) for k, t in _FIELDS.items()])}
    if one.mask is not None:
        out[keys.mask] = torch.from_numpy(one.mask.saved())
    if one.dense is not None:
        one.dense = alike(one.weight, one.dense)
        out[keys.dense] = one.dense
    return out


def values_of(cell: PruneCell, tensor: int) -> dict[str, Any]:
    """Parameters and schedule of a PruneCell, and the figures of one of its tensors."""
    figures = cell.figures(tensor)
    return cell.parameters.as_dict() | {
        "format": _FORMAT,
        "current": cell.get_current_threshold(),
        "rises": cell.rises,
        "counter": cell.counter,
        "zeros": figures.zeros,
        "level": figures.level,
        "asked": figures.asked,
        "custom": cell.is_custom(tensor),
        "tied": figures.tied,
    }


def merged(one: PrunedWeight, values: dict[str, Any], rows: Rows | None) -> dict[str, Any]:
    """A state for the PruneCell of `one`, with the saved form of a mask: its others as they are."""
    state = one.quantizer.snapshot()
    state["format"] = values["format"]
    state["parameters"] = {k: values[k] for k in state["parameters"]}
    for name in ("current", "rises", "counter"):
        state[name] = values[name]
    tensor = {k: values[k] for k in ("zeros", "level", "asked", "custom", "tied")}
    state["tensors"][one.index] |= tensor | {"mask": rows, "initialized": True}
    return state


def decode(values: Tensor, key: str) -> dict[str, Any]:
    """The values of a prune_state by name; raises InvalidArgument naming the key."""
    lengths = (len(_FIELDS), *_SHORTER)
    if values.dtype != torch.int64 or values.dim() != 1 or len(values) not in lengths:
        raise InvalidArgument(
            f"{key}: expected int64[{len(_FIELDS)}], "
            f"got {values.dtype} of shape {tuple(values.shape)}"
        )
    raw = {"custom": 0, "ties": 0, "tied": 0} | dict(zip(_FIELDS, values.tolist(), strict=False))
    out = {name: _from_int64(raw[name], kind) for name, kind in _FIELDS.items()}
    if out["prune_mode"] not in range(len(MODES)) or out["prune_filler"] not in range(len(FILLERS)):
        raise InvalidArgument(f"{key}: expected numbers of a known mode and filler")
    out["prune_mode"], out["prune_filler"] = MODES[out["prune_mode"]], FILLERS[out["prune_filler"]]
    for name, (low, high) in _RANGES.items():
        if not low <= out[name] <= high:  # NaN neither
            raise InvalidArgument(
                f"{key}: expected {name} from {low} to {high}, got {name} {out[name]}"
            )
    out["ties"] = TIES[out["ties"]]
    for name in ("in_place", "custom", "tied"):
        out[name] = bool(out[name])
    return out


def _to_int64(value: Any, kind: str) -> int:
    if kind == "i":
        return int(value)
    return int(struct.unpack("<q", struct.pack("<" + kind, value))[0])


def _from_int64(value: int, kind: str) -> Any:
    return value if kind == "i" else struct.unpack("<" + kind, struct.pack("<q", value))[0]
