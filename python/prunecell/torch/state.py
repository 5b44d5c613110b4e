"""Masks and schedules in a model's state_dict.

A pruned cell adds to its keys `<cell>.prune_mask`, uint8[rows, ceil(columns / 8)] (the saved form of
`Mask`), and `<cell>.prune_state`, int64[16]; a cell that is not in place adds `<cell>.prune_dense`, the
full-precision weights. All are tensors. In mode Identity there is no mask.
"""

from __future__ import annotations

import contextlib
import contextvars
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prunecell import quantizer
from prunecell._core import InvalidArgument
from prunecell.parameters import FILLERS, MODES

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight

MASK, STATE, DENSE = "prune_mask", "prune_state", "prune_dense"

_FORMAT = 1
# The int64 values of prune_state in order: "i" integers, "d" the bits of a float64, "Q" of a uint64.
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
}

_keep_parameters = contextvars.ContextVar("keep_parameters", default=False)


@contextlib.contextmanager
def keep_parameters() -> Iterator[None]:
    """Within it, `load_state_dict` keeps a cell's own parameters where the saved ones differ.

    The cell continues from the saved threshold. Without it, other parameters are an error.
    """
    token = _keep_parameters.set(True)
    try:
        yield
    finally:
        _keep_parameters.reset(token)


@dataclass
class Loading:
    """What a state_dict brings for one cell."""

    saved: dict[str, Any] | None
    """A state of the whole PruneCell, or None where it brings weights alone."""
    dense: Tensor | None


def encode(one: PrunedWeight, prefix: str) -> dict[str, Tensor]:
    """The keys that a pruned cell adds."""
    cell, figures = one.quantizer, one.quantizer.figures(one.index)
    values = cell._parameters.as_dict() | {
        "format": _FORMAT,
        "prune_mode": MODES.index(cell.prune_mode),
        "prune_filler": FILLERS.index(cell.prune_filler),
        "current": cell.get_current_threshold(),
        "rises": cell.rises,
        "counter": cell._core.counter,
        "zeros": figures.zeros,
        "level": figures.level,
        "asked": figures.asked,
    }
    out = {prefix + STATE: torch.tensor([_to_int64(values[k], t) for k, t in _FIELDS.items()])}
    if one.mask is not None:
        out[prefix + MASK] = torch.from_numpy(one.mask.saved())
    if one.dense is not None:
        out[prefix + DENSE] = one.dense
    return out


def take(one: PrunedWeight, given: dict[str, Any], prefix: str) -> Loading | None:
    """Removes the keys of a pruned cell from `given` and says what they bring.

    Raises:
        InvalidArgument: They do not fit the cell. Nothing is changed.
    """
    loading = check(one, given, prefix)
    for key in (MASK, STATE, DENSE):
        given.pop(prefix + key, None)
    return loading


def check(one: PrunedWeight, given: dict[str, Any], prefix: str) -> Loading | None:
    """As `take`, without removing anything."""
    mask, values = given.get(prefix + MASK), given.get(prefix + STATE)
    if values is None:
        if mask is not None:
            raise InvalidArgument(f"{prefix}{MASK}: expected {prefix}{STATE} beside it, got none")
        return Loading(None, None) if prefix + "weight" in given else None
    state = _merged(one, _decode(values, prefix + STATE), mask)
    try:
        one.quantizer._core.copy().load(state, _keep_parameters.get())
    except InvalidArgument as error:
        hint = " (prunecell.torch.keep_parameters)" if "parameters" in str(error) else ""
        raise InvalidArgument(f"cell {prefix.rstrip('.')!r}: {error}{hint}") from None
    return Loading(state, given.get(prefix + DENSE))


def restore(one: PrunedWeight, loading: Loading) -> None:
    """Takes over what was loaded, after the parameter itself was."""
    cell = one.quantizer
    if one.dense is not None:
        one.dense = (one.weight if loading.dense is None else loading.dense).detach().clone()
    if loading.saved is not None:
        cell._core.load(loading.saved, _keep_parameters.get())
        one.enforce()
    elif cell.driven:
        one.enforce()
    else:
        quantizer.initialize([cell], reset=True)


def _merged(one: PrunedWeight, values: dict[str, Any], mask: Tensor | None) -> dict[str, Any]:
    """A state for the PruneCell of `one`: its other tensors as they are."""
    state = one.quantizer.state_dict()
    state["format"] = values["format"]
    state["parameters"] = {k: values[k] for k in state["parameters"]}
    for name in ("current", "rises", "counter"):
        state[name] = values[name]
    rows = None if mask is None else mask.detach().cpu().numpy()
    tensor = {k: values[k] for k in ("zeros", "level", "asked")} | {"mask": rows}
    state["tensors"][one.index] |= tensor
    return state


def _decode(values: Tensor, key: str) -> dict[str, Any]:
    if values.dtype != torch.int64 or values.shape != (len(_FIELDS),):
        raise InvalidArgument(
            f"{key}: expected int64[{len(_FIELDS)}], got {values.dtype} of shape {tuple(values.shape)}"
        )
    raw = dict(zip(_FIELDS, values.tolist(), strict=True))
    out = {name: _from_int64(raw[name], kind) for name, kind in _FIELDS.items()}
    if out["prune_mode"] not in range(len(MODES)) or out["prune_filler"] not in range(len(FILLERS)):
        raise InvalidArgument(f"{key}: expected numbers of a known mode and filler")
    out["prune_mode"], out["prune_filler"] = MODES[out["prune_mode"]], FILLERS[out["prune_filler"]]
    out["in_place"] = bool(out["in_place"])
    return out


def _to_int64(value: Any, kind: str) -> int:
    if kind == "i":
        return int(value)
    return int(struct.unpack("<q", struct.pack("<" + kind, value))[0])


def _from_int64(value: int, kind: str) -> Any:
    return value if kind == "i" else struct.unpack("<" + kind, struct.pack("<q", value))[0]


class LoadGuard:
    """On the root of a model: checks what a state_dict brings for all cells before any is loaded."""

    def __call__(self, root: nn.Module, given: dict[str, Any], prefix: str, *_: Any) -> None:
        """A load_state_dict pre-hook."""
        from prunecell.torch.pruned_weight import find

        for name, module in root.named_modules():
            one = find(module)
            if one is not None:
                check(one, given, prefix + name + "." if name else prefix)


def dense_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The state_dict with pruned weights as zeros and no key of ours: it loads strictly anywhere."""
    from prunecell.torch.model import unwrap
    from prunecell.torch.pruned_weight import find

    net = unwrap(model)
    state: dict[str, Tensor] = net.state_dict()
    for name, module in net.named_modules():
        if find(module) is not None:
            for key in (MASK, STATE, DENSE):
                state.pop(f"{name}.{key}" if name else key, None)
    return state
