"""Checks what a state_dict brings for a pruned weight, before anything changes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunecell._core import InvalidArgument, InvalidType, Mask
from prunecell.keys import Keys
from prunecell.quantizer import HeldArrays, start
from prunecell.saved_state import shown
from prunecell.torch.form import DTYPES, not_plain, tensor_fault
from prunecell.torch.load_options import masks_are_kept, parameters_are_kept
from prunecell.torch.loading import Loading
from prunecell.torch.masking import alike
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.state import decode, merged

_SHARDS = "; load the files of one checkpoint within prunecell.torch.sharded_load()"


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
        WrongState: The weight of the cell has not the form any more that it was pruned in.
        InvalidType: A weight that is to be assigned has a dtype that cannot be pruned.
        UnreachableThreshold: Of weights that are to be pruned anew.
    """
    weight, mask, values, dense = (_tensor(given, key, keys) for key in keys)
    _check_forms(one, weight, keys.weight, metadata)
    if masks_are_kept() or one.lead is not None:
        return _weights_alone(one, weight, dense, keys)
    if values is None:
        for key in (keys.mask, keys.dense):
            if key in given:
                raise InvalidArgument(f"{key}: expected {keys.state} beside it, got none{_SHARDS}")
        if weight is None or weight.shape != one.weight.shape:
            return None  # a dense weight of a wrong shape is for load_state_dict to report
        return _rebuilt(one, weight)
    decoded = decode(values, keys.state)
    if mask is None and decoded["prune_mode"] != "Identity":
        raise InvalidArgument(
            f"cell {one.name!r}: expected a mask, {keys.mask}, beside {keys.state}, "
            f"got none{_SHARDS}"
        )
    if weight is not None:
        _check_shape(keys.weight, one.weight.shape, weight)
    if one.mask is not None and mask is not None:
        _check_shape(keys.mask, one.mask.saved().shape, mask)
    if one.dense is not None and not decoded["in_place"]:
        _check_shape(keys.dense, one.weight.shape, dense)
    saved = merged(one, decoded, None if mask is None else mask.detach().cpu().numpy())
    trial = copy.deepcopy(one.quantizer)
    try:
        trial.restore(saved, keep_parameters=parameters_are_kept())
    except InvalidArgument as error:
        hint = " (prunecell.torch.keep_parameters)" if "parameters" in str(error) else ""
        raise InvalidArgument(f"cell {one.name!r}: {error}{hint}") from None
    if weight is None and whole and not _shares(given, trial.mask(one.index)):
        raise InvalidArgument(
            f"{keys.weight}: expected the weights of {keys.state} beside it, got none{_SHARDS}"
        )
    return Loading(saved, dense)


def _check_forms(
    one: PrunedWeight, weight: Tensor | None, key: str, metadata: dict[str, Any]
) -> None:
    """Checks the form of the weight in place, and of the weight that a load assigns."""
    if one.weight is not None:
        one.check_form()
    if weight is not None and metadata.get("assign_to_params_buffers"):
        found = tensor_fault(key, weight)
        if found is not None:
            raise found


def _tensor(given: dict[str, Any], key: str, keys: Keys) -> Tensor | None:
    value = given.get(key)
    if key not in given:
        return None
    if not isinstance(value, Tensor):
        got = shown(value)
    elif value.is_meta:
        got = "a meta tensor"
    elif (odd := not_plain(value)) is not None:
        got = odd
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


def _weights_alone(
    one: PrunedWeight, weight: Tensor | None, dense: Tensor | None, keys: Keys
) -> Loading | None:
    """What `given` brings where masks are kept."""
    if weight is None or weight.shape != one.weight.shape:
        return None
    if dense is None:
        return Loading(None, None)
    _check_shape(keys.dense, one.weight.shape, dense)
    return Loading(None, dense)


def _is_kept(one: PrunedWeight) -> bool:
    """Whether the mask outlasts a load of weights without masks.

    At threshold 0 it is the zeros that the weights had. A mask without zeros has none to lose.
    """
    cell = one.quantizer
    if cell.driven or cell.prune_filler == "None" or cell.is_custom(one.index):
        return True
    rule = (cell.prune_mode, cell.prune_filler, cell.threshold)
    return rule == ("Static", "IterNonStruct", 0) and cell.figures(one.index).zeros > 0


def _rebuilt(one: PrunedWeight, weight: Tensor) -> Loading:
    """The mask that `weight`, which brings none, gets: one of the rule, or that in force.

    A trial: nothing changes yet, and the other tensors of the PruneCell take no part.
    """
    if _is_kept(one):
        return Loading(None, None)
    cell = one.quantizer
    trial = copy.deepcopy(cell)
    for other in range(trial.tensor_count):
        if other != one.index:
            trial.drop_tensor(other)
    like = weight if one.weight.is_meta else one.weight
    values = alike(like, weight.clone())
    pruned = None if one.dense is None else torch.empty_like(values)
    trial.replace_source(one.index, HeldArrays((values, None, pruned)))
    start([trial], reset=True)
    state = cell.state_dict()
    state["tensors"][one.index] = trial.snapshot()["tensors"][one.index]
    new, old = trial.mask(one.index), one.mask
    takes_mask = False
    if new is not None and old is not None and old.zeros > 0:
        takes_mask = not np.array_equal(new.saved(), old.saved())
    return Loading(state, None, takes_mask, trial.figures(one.index))
