"""Keeping weights pruned while optimizers step.

Hooks on all optimizers of `torch.optim` serve every model. They find the pruned weights of an
optimizer by the hooks that its parameters carry, which hold weak references to what is attached
to the modules, so that nothing of a model outlives it; optimizers of other weights pay nothing. A
parameter that is put in the place of another carries its hook from its first forward on.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from prunecell._core import GradientHook, Mask, WrongState
from prunecell.torch.form import DTYPES
from prunecell.torch.held_weight import registry
from prunecell.torch.masked_weight import MaskedWeight, frozen
from prunecell.torch.masking import mask_tensors


@dataclass(frozen=True)
class _Found:
    """The owners of the hooks that the parameters of an optimizer carry."""

    generation: int
    """Generation of the registry when the owners were found."""
    parameters: list[int]
    """The ids of the parameters in their order."""
    owners: list[tuple[weakref.ref[MaskedWeight], int]]
    """The owners, each with the place of its parameter."""


_FOUND = "_prunecell_found"
"""The attribute of an optimizer that holds its `_Found`; it is not pickled."""


def _among(optimizer: Optimizer) -> list[tuple[MaskedWeight, Tensor]]:
    """The pruned weights that the optimizer moves, with their parameters."""
    if frozen.any:  # their forward may be compiled, or not run at all
        for owner in frozen.alive():
            owner.follow_frozen()
    parameters: list[Tensor] = []
    for group in optimizer.param_groups:
        parameters += group["params"]
    ids = list(map(id, parameters))
    known: _Found | None = optimizer.__dict__.get(_FOUND)
    if known is None or known.generation != registry.generation or known.parameters != ids:
        known = _Found(registry.generation, ids, _owners(parameters))
        optimizer.__dict__[_FOUND] = known
    stepped = []
    for reference, place in known.owners:
        one, weight = reference(), parameters[place]
        if one is not None and one.weight is weight:
            stepped.append((one, weight))
    return stepped + _left(parameters) if frozen.any else stepped


def _owners(parameters: Sequence[Tensor]) -> list[tuple[weakref.ref[MaskedWeight], int]]:
    return [
        (hook.owner, place)
        for place, parameter in enumerate(parameters)
        for hook in (parameter._post_accumulate_grad_hooks or {}).values()
        if type(hook) is GradientHook
    ]


def _left(parameters: Sequence[Tensor]) -> list[tuple[MaskedWeight, Tensor]]:
    """Frozen weights without hooks that have a gradient from before, which moves them."""
    unhooked = {id(one.weight): one for one in frozen.alive()}
    return [
        (unhooked[id(parameter)], parameter)
        for parameter in parameters
        if id(parameter) in unhooked
        and parameter.grad is not None
        and not parameter._post_accumulate_grad_hooks
    ]


def _moves(state: Any, weight: Tensor) -> bool:
    """Whether state, momentum or its like, has the shape of the weight and could move it."""
    return (
        isinstance(state, Tensor)
        and state.shape == weight.shape
        and state.dtype in DTYPES
        and state.layout == torch.strided
    )


def _before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
    exposed = [one for one, _ in _among(optimizer) if one.dense is not None]
    if not exposed:
        return None
    for one in exposed:
        one.check_form()
        _check_differentiates(optimizer, one)
    for one in exposed:
        one.expose()

    if len(args) > 1 and callable(args[1]):  # the first is the optimizer
        args = (args[0], _pruned_closure(args[1], exposed), *args[2:])
    elif callable(kwargs.get("closure")):
        kwargs = kwargs | {"closure": _pruned_closure(kwargs["closure"], exposed)}
    return args, kwargs


def _check_differentiates(optimizer: Optimizer, one: MaskedWeight) -> None:
    """Refuses steps that differentiate, like AdaHessian: they would do so at the dense weights.

    torch's own optimizers do not, whatever graph the gradients have.
    """
    gradient = one.weight.grad
    foreign = type(optimizer).__module__.partition(".")[0] != "torch"
    if foreign and gradient is not None and gradient.grad_fn is not None:
        raise WrongState(
            f"cell {one.name!r}: {type(optimizer).__name__}.step() is given gradients that can be "
            "differentiated (backward(create_graph=True)), but with in_place=False a step sees the "
            "full-precision weights, not those of the graph. Take in_place=True, or detach the "
            "gradients and compute what the step needs before it"
        )


def _pruned_closure(closure: Callable[[], Any], exposed: list[MaskedWeight]) -> Callable[[], Any]:
    """The closure of a step, run on pruned weights."""

    def run() -> Any:
        for one in exposed:
            one.enforce()
        loss = closure()  # what it raises ends the step, with the pruned weights in place
        for one in exposed:
            one.expose()
        return loss

    return run


def _after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    """Masks weights, and what could move pruned ones at the next step.

    State that was masked once stays so, since gradients are masked: it is masked again where the
    mask has changed or the state is another, and where a pruned weight has moved all the same.
    """
    stepped = _among(optimizer)
    in_place: list[tuple[MaskedWeight, Tensor]] = []
    owners: list[MaskedWeight] = []
    weights: list[Tensor] = []
    masks: list[Mask] = []
    for one, weight in stepped:
        if one.dense is None and (mask := one.mask) is not None:
            in_place.append((one, weight))
            owners.append(one)
            weights.append(weight)
            masks.append(mask)
    if in_place:
        moved = mask_tensors(owners, weights, masks)
        _mask_state(optimizer, in_place, moved)
    for one, weight in stepped:
        if one.dense is not None:
            one.enforce()
        one.stepped(weight)


def _mask_state(
    optimizer: Optimizer, stepped: list[tuple[MaskedWeight, Tensor]], moved: list[bool]
) -> None:
    owners: list[MaskedWeight] = []
    tensors: list[Tensor] = []
    for (one, weight), has_moved in zip(stepped, moved, strict=True):
        state = optimizer.state.get(weight)
        if state and (one.note_state(state) or has_moved):
            moving = [value for value in state.values() if _moves(value, weight)]
            owners.extend([one] * len(moving))
            tensors.extend(moving)
    if tensors:
        mask_tensors(owners, tensors, [cast(Mask, one.mask) for one in owners])


def _uncompiled(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps native calls out of graphs: a compiled step breaks at the hook and runs it as it is.

    A step that is not compiled is spared what keeps the compiler out.
    """
    disable: Any = torch.compiler.disable
    disabled = disable(hook)

    def run(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        return (disabled if is_dynamo_compiling() else hook)(optimizer, args, kwargs)

    return run


register_optimizer_step_post_hook(_uncompiled(_after_step))


@functools.cache
def watch_before_steps() -> None:
    """From now on optimizers see the full-precision weights of cells that are not in place."""
    register_optimizer_step_pre_hook(_uncompiled(_before_step))
