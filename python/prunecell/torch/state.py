"""Masks and schedules in a model's state_dict.

A pruned cell adds to its keys `<module>.prune_mask`, uint8[rows, ceil(columns / 8)] (the saved form
of `Mask`), and `<module>.prune_state`, int64[16]; a cell that is not in place adds
`<module>.prune_dense`, the full-precision weights. Of a parameter that is no `weight` they begin
with its name, as `<module>.<parameter>_prune_mask`. All are tensors; mode Identity has no mask.
"""

from __future__ import annotations

import contextlib
import contextvars
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from prunecell import _core
from prunecell._core import InvalidArgument, InvalidType, Mask, WrongState
from prunecell.parameters import FILLERS, MODES
from prunecell.quantizer import CellArrays
from prunecell.saved_state import shown
from prunecell.torch.enforce import DTYPES, alike, check_dtype
from prunecell.torch.slot import Keys

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight

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
}
# Of the values that are not compared with the cell's own; the native core checks the others.
_RANGES = {"in_place": (0, 1), "level": (0, 2**63 - 1), "asked": (0, 1)}

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
    """A state of the whole PruneCell; None: the one in force stays."""
    dense: Tensor | None
    """Full-precision weights; None: they are those that the parameter gets."""


# Hooks of a pruned module


def refuse_load(*_: Any) -> NoReturn:
    """A load_state_dict pre-hook of a compressed module."""
    raise WrongState("a compressed model cannot load weights: decompress it first")


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
    one.mask_again()
    if one.compressed:
        return  # the state_dict of a compressed model is dense
    out.update(_encode(one, Keys.of(prefix, parameter)))


def before_load(
    one: PrunedWeight,
    parameter: str,
    _module: nn.Module,
    given: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
    *_: Any,
) -> None:
    """A load_state_dict pre-hook: everything is checked before the parameter is loaded."""
    if one.compressed:
        refuse_load()
    # A part of a model gets the keys of its own name, and what shares its weight may have another.
    keys = Keys.of(prefix, parameter)
    one.loading = check(one, given, keys, metadata, whole=not prefix)
    one.settle()  # what comes takes the place of pruned weights
    for key in keys.added:
        given.pop(key, None)


def after_load(one: PrunedWeight, _module: nn.Module, _incompatible: Any) -> None:
    """A load_state_dict post-hook: what was checked takes effect."""
    loading, one.loading = one.loading, None
    if loading is None:
        return
    if one.dense is not None:
        values = one.weight if loading.dense is None else loading.dense.clone()
        one.dense = alike(one.weight, values)
    if loading.saved is not None:
        one.quantizer._core.load(loading.saved, _keep_parameters.get())
    one.enforce()


def check(
    one: PrunedWeight,
    given: dict[str, Any],
    keys: Keys,
    metadata: dict[str, Any],
    *,
    whole: bool = True,
) -> Loading | None:
    """What `given` brings; None: nothing.

    Args:
        one: The weight.
        given: A state_dict.
        keys: Those of the weight.
        metadata: What torch says of the load: whether tensors are assigned or copied.
        whole: Whether `given` has the keys of all modules that may share the weight.

    Raises:
        InvalidArgument: It does not fit the cell.
        InvalidType: A weight that is to be assigned has a dtype that cannot be pruned.
        UnreachableThreshold: Of weights that are to be pruned anew.
    """
    weight, mask, values, dense = (_tensor(given, key, keys) for key in keys)
    if weight is not None and metadata.get("assign_to_params_buffers"):
        check_dtype(keys.weight, weight)
    if values is None:
        if mask is not None:
            raise InvalidArgument(f"{keys.mask}: expected {keys.state} beside it, got none")
        if weight is None or weight.shape != one.weight.shape:
            return None  # a dense weight of a wrong shape is for load_state_dict to report
        return Loading(_rebuilt(one, weight), None)
    decoded = _decode(values, keys.state)
    if weight is not None:
        _check_shape(keys.weight, one.weight.shape, weight)
    if one.mask is not None and mask is not None:
        _check_shape(keys.mask, one.mask.saved().shape, mask)
    if one.dense is not None and not decoded["in_place"]:
        _check_shape(keys.dense, one.weight.shape, dense)
    saved = _merged(one, decoded, mask)
    trial = one.quantizer._core.copy()
    try:
        trial.load(saved, _keep_parameters.get())
    except InvalidArgument as error:
        hint = " (prunecell.torch.keep_parameters)" if "parameters" in str(error) else ""
        raise InvalidArgument(f"cell {one.name!r}: {error}{hint}") from None
    if weight is None and whole and not _shares(given, trial.mask(one.index)):
        raise InvalidArgument(
            f"{keys.weight}: expected the weights of {keys.state} beside it, got none"
        )
    return Loading(saved, dense)


def _tensor(given: dict[str, Any], key: str, keys: Keys) -> Tensor | None:
    value = given.get(key)
    if key not in given:
        return None
    if not isinstance(value, Tensor):
        got = shown(value)
    elif value.is_meta:
        got = "a meta tensor"
    elif value.layout != torch.strided:
        got = f"one of layout {value.layout}"
    elif key == keys.dense and value.dtype not in DTYPES:
        got = f"one of {value.dtype}"
    else:
        return value
    raise InvalidType(f"{key}: expected a tensor with values, got {got}")


def _shares(given: dict[str, Any], mask: Mask | None) -> bool:
    """Whether `given` has weights pruned by the mask, as where it names a shared weight once."""
    if mask is None:
        return True
    pruned = ~torch.from_numpy(np.asarray(mask))
    return any(
        isinstance(value, Tensor)
        and value.shape == pruned.shape
        and not key.endswith("prune_dense")
        and not value.is_meta
        and value.layout == torch.strided
        and not value.detach().cpu()[pruned].any()
        for key, value in given.items()
    )


def _check_shape(key: str, expected: tuple[int, ...], given: Tensor | None) -> None:
    if given is None or tuple(given.shape) != tuple(expected):
        got = "none" if given is None else tuple(given.shape)
        raise InvalidArgument(f"{key}: expected shape {tuple(expected)}, got {got}")


def _rebuilt(one: PrunedWeight, weight: Tensor) -> dict[str, Any] | None:
    """The state when `weight`, which brings no mask, is pruned anew; None: the mask stays.

    A trial: nothing changes yet, and the other tensors of the PruneCell take no part.
    """
    cell = one.quantizer
    if cell.driven or cell.prune_filler == "None":
        return None
    trial = cell._core.copy()
    memory: list[CellArrays] = [(None, None, None)] * trial.tensor_count
    for other in range(trial.tensor_count):
        if other != one.index:
            trial.drop_tensor(other)
    like = weight if one.weight.is_meta else one.weight
    values = alike(like, weight.clone())
    memory[one.index] = (values, None, None if one.dense is None else torch.empty_like(values))
    _core.initialize([(trial, memory)], True)
    state = cell.state_dict()
    state["tensors"][one.index] = trial.save()["tensors"][one.index]
    return state


def _encode(one: PrunedWeight, keys: Keys) -> dict[str, Tensor]:
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
    out = {keys.state: torch.tensor([_to_int64(values[k], t) for k, t in _FIELDS.items()])}
    if one.mask is not None:
        out[keys.mask] = torch.from_numpy(one.mask.saved())
    if one.dense is not None:
        one.dense = alike(one.weight, one.dense)
        out[keys.dense] = one.dense
    return out


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
            f"{key}: expected int64[{len(_FIELDS)}], "
            f"got {values.dtype} of shape {tuple(values.shape)}"
        )
    raw = dict(zip(_FIELDS, values.tolist(), strict=True))
    out = {name: _from_int64(raw[name], kind) for name, kind in _FIELDS.items()}
    if out["prune_mode"] not in range(len(MODES)) or out["prune_filler"] not in range(len(FILLERS)):
        raise InvalidArgument(f"{key}: expected numbers of a known mode and filler")
    out["prune_mode"], out["prune_filler"] = MODES[out["prune_mode"]], FILLERS[out["prune_filler"]]
    for name, (low, high) in _RANGES.items():
        if not low <= out[name] <= high:  # NaN neither
            raise InvalidArgument(
                f"{key}: expected {name} from {low} to {high}, got {name} {out[name]}"
            )
    out["in_place"] = bool(out["in_place"])
    return out


def _to_int64(value: Any, kind: str) -> int:
    if kind == "i":
        return int(value)
    return int(struct.unpack("<q", struct.pack("<" + kind, value))[0])


def _from_int64(value: int, kind: str) -> Any:
    return value if kind == "i" else struct.unpack("<" + kind, struct.pack("<q", value))[0]
