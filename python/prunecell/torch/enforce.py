"""Keeping weights pruned while optimizers step.

Hooks on all optimizers of `torch.optim` serve every model. They find the pruned
weights of an optimizer through weak references to what is attached to the modules, so that nothing
of a model outlives it, and no copy, move or replacement of a parameter escapes them.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from prunecell import _core
from prunecell._core import InvalidArgument, Mask

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

registry: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
"""Every attachment that is alive."""


def mask_tensors(tensors: list[Tensor], masks: list[Mask]) -> list[bool]:
    """Makes the pruned elements of each tensor +0, in place; any strides.

    Returns, for each tensor, whether some element was not. Of a CUDA device nobody waits for the
    answer: True.
    """
    plain = [tensor.detach() if tensor.requires_grad else tensor for tensor in tensors]
    try:
        changed = _apply(plain, masks)
    except InvalidArgument:  # rare, and one at a time
        return [_mask_one(tensor, mask) for tensor, mask in zip(plain, masks, strict=True)]
    if any(changed):
        bump_versions(itertools.compress(plain, changed))
    return changed


def _apply(tensors: list[Tensor], masks: list[Mask]) -> list[bool]:
    ask = not any(tensor.is_cuda for tensor in tensors)
    return _core.apply_masks(tensors, masks, ask=ask) or [True] * len(tensors)


def _mask_one(tensor: Tensor, mask: Mask) -> bool:
    """Of a model that was moved, or spread over devices, or of strides that the core knows not."""
    follow(mask, tensor)
    try:
        (changed,) = _apply([tensor], [mask])
        if changed:
            bump_versions([tensor])
    except InvalidArgument:
        dense = tensor.clone(memory_format=torch.contiguous_format)
        (changed,) = _apply([dense], [mask])
        if changed:
            tensor.copy_(dense)
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
        and values.dtype == weight.dtype
        and values.device == weight.device
        and values.stride() == weight.stride()
    ):
        return values
    with torch.inference_mode(False):  # what is to live long is no inference tensor
        return torch.empty_like(weight, requires_grad=False).copy_(values.detach())


def _among(optimizer: Optimizer) -> list[PrunedWeight]:
    """Those whose weights the optimizer moves."""
    parameters = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [one for one in list(registry) if id(one.weight) in parameters]


def _state_of(optimizer: Optimizer, weight: Tensor) -> list[Tensor]:
    """Momentum and its like: what has the shape of the weight and could move it."""
    return [
        value
        for value in optimizer.state.get(weight, {}).values()
        if isinstance(value, Tensor)
        and value.shape == weight.shape
        and value.dtype in DTYPES
        and value.layout == torch.strided
    ]


def _before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
    exposed = [one for one in _among(optimizer) if one.dense is not None]
    if not exposed:
        return None
    for one in exposed:
        one.expose()

    def pruned_in(argument: Any) -> Any:
        return _pruned_closure(argument, exposed) if callable(argument) else argument

    return tuple(map(pruned_in, args)), {k: pruned_in(v) for k, v in kwargs.items()}


def _pruned_closure(closure: Callable[[], Any], exposed: list[PrunedWeight]) -> Callable[[], Any]:
    """The closure of a step runs forward and backward: on pruned weights, as everywhere."""

    def run() -> Any:
        for one in exposed:
            one.enforce()
        try:
            return closure()
        finally:
            for one in exposed:
                one.expose()

    return run


def _after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    stepped = _among(optimizer)
    in_place = [one for one in stepped if one.dense is None and one.mask is not None]
    weights: list[Tensor] = [one.weight for one in in_place]
    moved = mask_tensors(weights, [cast(Mask, one.mask) for one in in_place])
    _mask_state(optimizer, zip(in_place, weights, moved, strict=True))
    for one in stepped:
        if one.dense is not None:
            one.enforce()
        one.stepped()


def _mask_state(optimizer: Optimizer, stepped: Iterable[tuple[PrunedWeight, Tensor, bool]]) -> None:
    """Masks what could move pruned weights at the next step.

    State that was masked once stays so, since gradients are masked: it is masked again where the
    mask has changed or the state is another, and where a pruned weight has moved all the same.
    """
    tensors: list[Tensor] = []
    masks: list[Mask] = []
    for one, weight, moved in stepped:
        state = _state_of(optimizer, weight)
        if one.note_state(state) or moved:
            tensors.extend(state)
            masks.extend([cast(Mask, one.mask)] * len(state))
    if tensors:
        mask_tensors(tensors, masks)


# Native calls stay out of graphs: a compiled step breaks at the hooks and runs them as they are.
_disable: Any = torch.compiler.disable
register_optimizer_step_post_hook(_disable(_after_step))


@functools.cache
def watch_before_steps() -> None:
    """From now on weights that are not in place are exposed to optimizers. In place needs none."""
    register_optimizer_step_pre_hook(_disable(_before_step))
