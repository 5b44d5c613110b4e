"""A checkpoint in several files, loaded one after the other."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from prunecell.keys import Keys
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.state import decode


@dataclass
class _Held:
    """What has come, by keys of one model, for cells that are not whole yet."""

    values: dict[str, Any] = field(default_factory=dict)
    assign: bool = False
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    """The context of the first load: which parameters and masks it keeps."""


_shards: contextvars.ContextVar[dict[nn.Module, _Held] | None]
_shards = contextvars.ContextVar("shards", default=None)


@contextlib.contextmanager
def sharded_load() -> Iterator[None]:
    """Within it, loads with `strict=False` may bring a cell's weight, mask and state one by one.

    A cell is loaded when all of it has come, in whatever order; until then what has come is kept
    in memory. At the end what is left is loaded as one state_dict: weights for which no mask came,
    and weights that modules share.

    Raises:
        InvalidArgument: At the end, where a mask or state came without its weight. Cells that were
            not whole are unchanged then.

    >>> import torch
    >>> import prunecell
    >>> net = torch.nn.Linear(4, 3)
    >>> model = prunecell.torch.wrap(net)
    >>> model.attach({"": prunecell.PruneCell(prune_mode="Static", threshold=0.5)})
    >>> state = net.state_dict()
    >>> with prunecell.torch.sharded_load():
    ...     for key in state:
    ...         _ = net.load_state_dict({key: state[key]}, strict=False)
    """
    held: dict[nn.Module, _Held] = {}
    token = _shards.set(held)
    try:
        yield
    finally:
        _shards.reset(token)
    for module, left in held.items():
        if left.values:
            left.context.run(_load_rest, module, left)


def _load_rest(module: nn.Module, left: _Held) -> None:
    _shards.set(None)
    module.load_state_dict(left.values, strict=False, assign=left.assign)


def hold_back(
    module: nn.Module,
    pruned: Sequence[tuple[Keys, PrunedWeight]],
    given: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
) -> None:
    """Takes cells that are not whole out of `given`, and puts in those that are by now."""
    shards = _shards.get()
    if shards is None:
        return
    held = shards.setdefault(module, _Held())
    held.assign = bool(metadata.get("assign_to_params_buffers"))
    names = _names_of(module, prefix)
    for keys, one in pruned:
        shared = names.get(id(one.weight), [])
        parts = {}
        for key in (*keys, *shared):
            own = key.removeprefix(prefix)
            if key in given:
                held.values[own] = given.pop(key)
            if own in held.values:
                parts[key] = held.values[own]
        if len(shared) == 1 and _is_whole(keys, parts):
            given.update(parts)
            for key in parts:
                del held.values[key.removeprefix(prefix)]


def _names_of(module: nn.Module, prefix: str) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(prefix + name)
    return names


def _is_whole(keys: Keys, parts: dict[str, Any]) -> bool:
    """Whether all has come that the state speaks of. A damaged state is for `check` to refuse."""
    if keys.weight not in parts or keys.state not in parts:
        return False
    state = parts[keys.state]
    if not isinstance(state, Tensor) or state.is_meta:
        return True
    saved = decode(state, keys.state)
    needs_mask, needs_dense = saved["prune_mode"] != "Identity", not saved["in_place"]
    return (keys.mask in parts or not needs_mask) and (keys.dense in parts or not needs_dense)
