"""Keeping weights pruned while optimizers step.

Hooks on all optimizers of `torch.optim` serve every model. They find the pruned weights of an
optimizer by the hooks that its parameters carry, which hold weak references to what is attached
to the modules, so that nothing of a model outlives it; optimizers of other weights pay nothing. A
parameter that is put in the place of another carries its hook from its first forward on.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from prunecell import _core
from prunecell._core import InvalidArgument, InvalidType, Mask

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

registry: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
"""Every attachment that is alive."""

frozen: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
"""Those whose weights did not learn when they were last seen: such weights carry no hook yet."""


def check_dtype(what: str, weight: Tensor) -> None:
    """Raises InvalidType naming `what` where weights of this dtype are not pruned."""
    if weight.dtype not in DTYPES:
        known = ", ".join(str(dtype) for dtype in DTYPES)
        raise InvalidType(f"{what}: expected a weight of {known}, got {weight.dtype}")


def mask_tensors(tensors: list[Tensor], masks: list[Mask]) -> list[bool]:
    """Makes the pruned elements of each tensor +0, in place; any strides.

    Returns, for each tensor, whether some element was not. Of a CUDA device nobody waits for the
    answer: True. Autograd is told of those that changed.
    """
    try:
        changed = _core.apply_masks(tensors, masks)
    except (InvalidArgument, RuntimeError):  # rare, and one at a time; torch lends no meta tensors
        return [_mask_one(tensor, mask) for tensor, mask in zip(tensors, masks, strict=True)]
    if True in changed:
        bump_versions(itertools.compress(tensors, changed))
    return changed


def _mask_one(tensor: Tensor, mask: Mask) -> bool:
    """Of a model that was moved, or spread over devices, or of strides that the core knows not."""
    if tensor.is_meta:  # it has no values
        return False
    follow(mask, tensor)
    try:
        (changed,) = _core.apply_masks([tensor], [mask])
        if changed:
            bump_versions([tensor])
    except InvalidArgument:
        plain = tensor.detach()
        dense = plain.clone(memory_format=torch.contiguous_format)
        (changed,) = _core.apply_masks([dense], [mask])
        if changed:
            plain.copy_(dense)
    return changed


def follow(mask: Mask, tensor: Tensor) -> Mask:
    """The mask, on the device of its weight, which `Module.to` moves without telling anybody."""
    mask.move(str(tensor.device))
    return mask


def bump_versions(tensors: Iterable[Tensor]) -> None:
    """Tells autograd that native code has written the tensors."""
    torch.autograd.graph.increment_version([t for t in tensors if not t.is_inference()])


def alike(weight: Tensor, values: Tensor) -> Tensor:
    """`values` with dtype, device and strides of `weight`: themselves, or a copy."""
    if (
        values is not weight
        and not values.is_inference()
        and values.dtype == weight.dtype
        and values.device == weight.device
        and values.stride() == weight.stride()
    ):
        return values
    with torch.inference_mode(False):  # what is to live long is no inference tensor
        return torch.empty_like(weight, requires_grad=False).copy_(values.detach())


class GradientHook:
    """On a parameter that learns: pruned weights get gradient 0 before anyone sees it.

    It is also how an optimizer's parameters lead to what is attached to them.
    """

    __slots__ = ("owner",)

    def __init__(self, owner: weakref.ref[PrunedWeight]) -> None:
        self.owner: weakref.ref[PrunedWeight] = owner

    def __call__(self, parameter: Tensor) -> None:
        """Masks the gradient that has just been accumulated."""
        owner, gradient = self.owner(), parameter.grad
        if owner is None or gradient is None or gradient.layout != torch.strided:
            return  # sparse gradients: the step hook masks what they did
        mask = owner.mask
        if mask is not None:
            mask_tensors([gradient], [mask])


def _among(optimizer: Optimizer) -> list[tuple[PrunedWeight, Tensor]]:
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
        one.expose()

    if len(args) > 1 and callable(args[1]):  # the first is the optimizer
        args = (args[0], _pruned_closure(args[1], exposed), *args[2:])
    elif callable(kwargs.get("closure")):
        kwargs = kwargs | {"closure": _pruned_closure(kwargs["closure"], exposed)}
    return args, kwargs


def _pruned_closure(closure: Callable[[], Any], exposed: list[PrunedWeight]) -> Callable[[], Any]:
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


def _mask_stepped(optimizer: Optimizer, in_place: list[tuple[PrunedWeight, Tensor, Mask]]) -> None:
    """Masks weights, and what could move pruned ones at the next step.

    State that was masked once stays so, since gradients are masked: it is masked again where the
    mask has changed or the state is another, and where a pruned weight has moved all the same.
    """
    moved = mask_tensors([weight for _, weight, _ in in_place], [mask for *_, mask in in_place])
    tensors: list[Tensor] = []
    masks: list[Mask] = []
    for (one, weight, mask), has_moved in zip(in_place, moved, strict=True):
        state = _state_of(optimizer, weight)
        if one.note_state(state) or has_moved:
            moving = [value for value in state if _moves(value, weight)]
            tensors.extend(moving)
            masks.extend([mask] * len(moving))
    if tensors:
        mask_tensors(tensors, masks)


# Native calls stay out of graphs: a compiled step breaks at the hooks and runs them as they are.
_disable: Any = torch.compiler.disable
register_optimizer_step_post_hook(_disable(_after_step))


@functools.cache
def watch_before_steps() -> None:
    """From now on weights that are not in place are exposed to optimizers. In place needs none."""
    register_optimizer_step_pre_hook(_disable(_before_step))
