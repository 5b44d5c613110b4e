"""Keeping weights pruned while optimizers step.

Hooks on all optimizers of `torch.optim` serve every model. They find the pruned weights of an
optimizer by the hooks that its parameters carry, which hold weak references to what is attached
to the modules, so that nothing of a model outlives it; optimizers of other weights pay nothing. A
parameter that is put in the place of another carries its hook from its first forward on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from prunecell._core import Mask, WrongState
from prunecell.torch.form import DTYPES
from prunecell.torch.masked_weight import GradientHook, MaskedWeight, frozen
from prunecell.torch.masking import mask_tensors


def _among(optimizer: Optimizer) -> list[tuple[MaskedWeight, Tensor]]:
    """Those whose weights the optimizer moves, with the weights."""
    for owner in list(frozen):  # forwards tell, but not compiled ones, nor those that never come
        owner.follow_frozen()
    # Those carry no hook, but a gradient from before they were frozen moves them all the same.
    unhooked = {id(one.weight): one for one in frozen}
    found = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            hooks = parameter._post_accumulate_grad_hooks
            if not hooks:
                left = unhooked.get(id(parameter))
                if left is not None and parameter.grad is not None:
                    found.append((left, parameter))
                continue
            for hook in hooks.values():
                one = hook.owner() if type(hook) is GradientHook else None
                if one is not None and one.weight is parameter:
                    found.append((one, parameter))
    return found


def _state_of(optimizer: Optimizer, weight: Tensor) -> list[Tensor]:
    """Momentum and its like."""
    return [
        value for value in optimizer.state.get(weight, {}).values() if isinstance(value, Tensor)
    ]


def _moves(state: Tensor, weight: Tensor) -> bool:
    """Whether state has the shape of the weight and could move it."""
    return state.shape == weight.shape and state.dtype in DTYPES and state.layout == torch.strided


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
    """Refuses steps that differentiate, as of AdaHessian: they would do so at the dense weights.

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
    """The closure of a step runs forward and backward: on pruned weights, as everywhere."""

    def run() -> Any:
        for one in exposed:
            one.enforce()
        loss = closure()  # what it raises ends the step, with the pruned weights in place
        for one in exposed:
            one.expose()
        return loss

    return run


def _after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    stepped = _among(optimizer)
    in_place = [
        (one, weight, mask)
        for one, weight in stepped
        if one.dense is None and (mask := one.mask) is not None
    ]
    if in_place:
        _mask_stepped(optimizer, in_place)
    for one, weight in stepped:
        if one.dense is not None:
            one.enforce()
        one.stepped(weight)


def _mask_stepped(optimizer: Optimizer, in_place: list[tuple[MaskedWeight, Tensor, Mask]]) -> None:
    """Masks weights, and what could move pruned ones at the next step.

    State that was masked once stays so, since gradients are masked: it is masked again where the
    mask has changed or the state is another, and where a pruned weight has moved all the same.
    """
    moved = mask_tensors(*map(list, zip(*in_place, strict=True)))
    owners: list[MaskedWeight] = []
    tensors: list[Tensor] = []
    masks: list[Mask] = []
    for (one, weight, mask), has_moved in zip(in_place, moved, strict=True):
        state = _state_of(optimizer, weight)
        if one.note_state(state) or has_moved:
            moving = [value for value in state if _moves(value, weight)]
            owners.extend([one] * len(moving))
            tensors.extend(moving)
            masks.extend([mask] * len(moving))
    if tensors:
        mask_tensors(owners, tensors, masks)


# Native calls stay out of graphs: a compiled step breaks at the hooks and runs them as they are.
_disable: Any = torch.compiler.disable
register_optimizer_step_post_hook(_disable(_after_step))


@functools.cache
def watch_before_steps() -> None:
    """From now on weights that are not in place are exposed to optimizers. In place needs none."""
    register_optimizer_step_pre_hook(_disable(_before_step))
