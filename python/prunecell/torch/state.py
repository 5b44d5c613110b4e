"""The saved form of a pruned cell in a model's state_dict.

A pruned cell adds to its keys `<module>.prune_mask`, uint8[rows, ceil(columns / 8)] (the saved form
of `Mask`), and `<module>.prune_state`, uint8[n]; a cell that is not in place adds
`<module>.prune_dense`, the full-precision weights. The keys of a parameter that is no `weight`
begin with its name, as `<module>.<parameter>_prune_mask`. All are tensors; mode Identity has no
mask.

A prune_state is a line of JSON, {"format": 2, ...}, that names parameters, schedule and figures.
Its last value, "crc32", is that of all bytes before `,"crc32"`: averages and casts of state_dicts
change bytes, and such values would still read as numbers. Spaces fill it up, so that states of
equal models have equal shapes, as distributed checkpoints want them.
"""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prunecell._core import InvalidArgument
from prunecell.keys import Keys
from prunecell.quantizer import PruneCell
from prunecell.saved_state import FORMAT, check_format, read_flat, shown
from prunecell.torch.masking import alike
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.state_format_1 import decode_format_1

Rows = NDArray[np.uint8]

_BLOCK = 1024  # bytes; a state has some 300 to 500
_LONGEST = 64 * _BLOCK
_CHECKSUM = ',"crc32":'


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
    out = {keys.state: encode(values_of(one.quantizer, one.index))}
    if one.mask is not None:
        out[keys.mask] = torch.from_numpy(one.mask.saved())
    if one.dense is not None:
        one.dense = alike(one.weight, one.dense)
        out[keys.dense] = one.dense
    return out


def values_of(cell: PruneCell, tensor: int) -> dict[str, Any]:
    """Parameters and schedule of a PruneCell, and the figures of one of its tensors."""
    figures = cell.figures(tensor)
    return {
        "format": FORMAT,
        **cell.parameters.as_dict(),
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
    state["parameters"] = {k: values[k] for k in state["parameters"]}
    for name in ("current", "rises", "counter"):
        state[name] = values[name]
    tensor = {k: values[k] for k in ("zeros", "level", "asked", "custom", "tied")}
    state["tensors"][one.index] |= tensor | {"mask": rows, "initialized": True}
    return state


def encode(values: dict[str, Any]) -> Tensor:
    """The prune_state of values by name."""
    text = json.dumps(values, separators=(",", ":")).removesuffix("}")
    text += f"{_CHECKSUM}{crc32(text.encode())}}}"
    text = text.ljust(-len(text) % _BLOCK + len(text))
    return torch.from_numpy(np.frombuffer(text.encode(), np.uint8).copy())


def decode(given: Tensor, key: str) -> dict[str, Any]:
    """The values of a prune_state by name; raises InvalidArgument naming the key."""
    if given.dtype == torch.int64:
        return decode_format_1(given, key)
    if given.dtype != torch.uint8 or given.dim() != 1 or len(given) > _LONGEST:
        raise InvalidArgument(
            f"{key}: expected uint8[n] as it was saved, n <= {_LONGEST}, "
            f"got {given.dtype} of shape {tuple(given.shape)}"
        )
    raw = bytes(given.tolist())
    values = _parsed(raw, key)
    present = check_format(key, values)
    if present != FORMAT:
        raise InvalidArgument(f"{key}: expected int64 for format 1, got uint8")
    head, _, _ = raw.rpartition(_CHECKSUM.encode())
    if crc32(head) != values.pop("crc32", None):
        raise InvalidArgument(
            f"{key}: expected the bytes that were saved, got others: crc32 is not {crc32(head)}"
        )
    return read_flat(key, values)


def _parsed(raw: bytes, key: str) -> dict[str, Any]:
    try:
        values = json.loads(raw.decode())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InvalidArgument(f"{key}: expected the JSON of a state, got {shown(raw)}")
    return values
