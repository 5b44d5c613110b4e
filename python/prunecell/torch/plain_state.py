"""A state_dict of a pruned model without what pruning adds to it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from prunecell._core import InvalidArgument, InvalidType
from prunecell.keys import WEIGHT, Keys
from prunecell.saved_state import shown
from prunecell.torch.state import decode

_STATE = "prune_state"


def without_pruning_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state_dict of a pruned model as a plain one loads it: pruned weights, no pruning keys.

    With `in_place=False`, too, the weights are the pruned ones, not the full-precision ones.
    The values tell what a pruning key is: a prune_state that can be read, beside its weight.
    Keys of yours that are only named alike stay, and so do those of a newer prunecell.

    Args:
        state: What `state_dict` gave, here or in another run; it is not changed.

    Raises:
        InvalidType: Something that is no state_dict.
    """
    if not isinstance(state, Mapping):
        raise InvalidType(f"state: expected a state_dict, got {shown(state)}")
    added = {key for keys, saved in pruning_in(state) for key in _added(keys, saved)}
    plain = OrderedDict((key, value) for key, value in state.items() if key not in added)
    if hasattr(state, "_metadata"):  # versions of modules, for torch
        plain._metadata = state._metadata  # type: ignore[attr-defined]
    return plain


def pruning_in(state: Mapping[str, Any]) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """The keys of each pruned weight that a state_dict names, and what its prune_state says."""
    for key, values in state.items():
        if not isinstance(key, str) or not key.endswith(_STATE):
            continue
        own = key.removesuffix(_STATE)
        keys = Keys.of(own, WEIGHT)
        prefix, dot, parameter = own.rpartition(".")
        if parameter:  # as "in_proj_weight_"
            keys = Keys.of(prefix + dot, parameter.removesuffix("_"))
        saved = _read(values, key)
        if saved is not None and keys.state == key and _has_weight(state, keys, saved):
            yield keys, saved


def _added(keys: Keys, saved: dict[str, Any]) -> set[str]:
    """The keys that its prune_state says the weight has."""
    with_mask = {keys.mask} if saved["prune_mode"] != "Identity" else set()
    with_dense = set() if saved["in_place"] else {keys.dense}
    return {keys.state} | with_mask | with_dense


def _read(values: Any, key: str) -> dict[str, Any] | None:
    """The values of a prune_state; None for something else."""
    if not isinstance(values, Tensor) or values.is_meta or values.layout != torch.strided:
        return None
    try:
        return decode(values, key)
    except InvalidArgument:
        return None


def _has_weight(state: Mapping[str, Any], keys: Keys, saved: dict[str, Any]) -> bool:
    """Whether its weight is beside it, by name or, as one that is shared may be, by its shape."""
    weights = [state[keys.weight]] if keys.weight in state else state.values()
    mask = state.get(keys.mask)
    return any(
        isinstance(weight, Tensor)
        and weight.is_floating_point()
        and (_fits(mask, weight) or saved["prune_mode"] == "Identity")
        for weight in weights
    )


def _fits(mask: Any, weight: Tensor) -> bool:
    """Whether it is the saved form of a mask of this weight."""
    rows = len(weight) if weight.dim() else 1
    columns = math.ceil(weight.numel() / rows / 8) if rows else 0
    return isinstance(mask, Tensor) and tuple(mask.shape) == (rows, columns)
