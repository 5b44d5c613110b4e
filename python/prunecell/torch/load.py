"""The hooks that load a pruned weight."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

import torch
from torch import nn

from prunecell._core import WrongState
from prunecell.dying import warn_of_dead
from prunecell.keys import Keys
from prunecell.torch.brought import check
from prunecell.torch.load_options import parameters_are_kept
from prunecell.torch.masking import alike
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.shards import hold_back
from prunecell.warning import warn

# The last load that was checked, identified by its list of errors, and the prefix.
_checked: contextvars.ContextVar[tuple[Any, str]]
_checked = contextvars.ContextVar("checked", default=(None, ""))


def refuse_load(*_: Any) -> NoReturn:
    """A load_state_dict pre-hook of a compressed module."""
    raise WrongState("a compressed model cannot load weights: decompress it first")


def before_load(
    one: PrunedWeight,
    parameter: str,
    module: nn.Module,
    given: dict[str, Any],
    prefix: str,
    *rest: Any,
) -> None:
    """A load_state_dict pre-hook: everything is checked before the parameter is loaded."""
    if one.compressed:
        refuse_load()
    metadata, errors = rest[0], rest[-1]
    if not is_checked(errors, prefix):  # the module is loaded alone
        cells = [(Keys.of(prefix, name), cell) for cell, name in _cells_of(module)]
        hold_back(module, cells, given, prefix, metadata)
        check_cells(cells, given, metadata, whole=not prefix)
        set_checked(errors, prefix)
    # A part of a model sees the keys of its own name; a shared weight may have another name.
    keys = Keys.of(prefix, parameter)
    one.loading = check(one, given, keys, metadata, whole=not prefix)
    one.settle()  # the load replaces pruned weights
    for key in keys.added:
        given.pop(key, None)


def after_load(one: PrunedWeight, _module: nn.Module, _incompatible: Any) -> None:
    """A load_state_dict post-hook: what was checked takes effect."""
    loading, one.loading = one.loading, None
    if loading is None:
        return
    if loading.saved is None and loading.dense is not None:
        with torch.no_grad():  # the parameter came pruned by another mask than that in force
            one.weight.copy_(loading.dense)
    if one.dense is not None:
        values = one.weight if loading.dense is None else loading.dense.clone()
        one.dense = alike(one.weight, values)
    if loading.saved is not None:
        one.quantizer.restore(loading.saved, keep_parameters=parameters_are_kept())
    one.enforce()


def _cells_of(module: nn.Module) -> Iterator[tuple[PrunedWeight, str]]:
    """The pruned weights of the module with the names of their parameters."""
    for wrapped in module._load_state_dict_pre_hooks.values():
        hook = getattr(wrapped, "hook", wrapped)  # torch wraps those that take the module
        if isinstance(hook, partial) and hook.func is before_load:
            yield hook.args[0], hook.args[1]


def is_checked(errors: list[str], prefix: str) -> bool:
    """Whether all cells of a module were checked in this load, with what it is a part of."""
    load, checked = _checked.get()
    return load is errors and prefix.startswith(checked)


def set_checked(errors: list[str], prefix: str) -> None:
    """Notes that all cells below the prefix were checked in this load."""
    _checked.set((errors, prefix))


def check_cells(
    cells: Sequence[tuple[Keys, PrunedWeight]],
    given: dict[str, Any],
    metadata: dict[str, Any],
    *,
    whole: bool = True,
) -> None:
    """Checks that `given` fits all cells, see `check`; warns once of masks that are built anew."""
    brought = [(one, check(one, given, keys, metadata, whole=whole)) for keys, one in cells]
    names = dict.fromkeys(one.name for one, loading in brought if loading and loading.takes_mask)
    if names:
        warn(
            "the loaded weights bring no masks: those of the cells "
            f"{', '.join(map(repr, names))} are built anew from them. "
            "prunecell.torch.keep_masks() keeps the masks, and so does model.rewind(state)"
        )
    warn_of_dead(
        (one.quantizer, one.index, loading.figures)
        for one, loading in brought
        if loading is not None and loading.figures is not None
    )
