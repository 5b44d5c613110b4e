"""Keeping weights pruned while optimizers step.

One pair of hooks on all optimizers of `torch.optim` serves every model. They find the pruned
weights of an optimizer through weak references to what is attached to the modules, so that nothing
of a model outlives it, and no copy, move or replacement of a parameter escapes them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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

registry: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
"""Every attachment that is alive."""


def mask_tensors(pairs: Iterable[tuple[Tensor, Mask]]) -> None:
    """Makes the pruned elements of each tensor +0, in place; any strides."""
    tensors, masks = [], []
    for tensor, mask in pairs:
        tensors.append(tensor)
        masks.append(mask)
    nothing = [None] * len(tensors)
    try:
        results = _core.apply_masks(tensors, masks, nothing, nothing)
    except InvalidArgument:  # strides that the core does not know: rare, and one at a time
        for tensor, mask in zip(tensors, masks, strict=True):
            dense = tensor.contiguous()
            _core.apply_masks([dense], [mask], [None], [None])
            if dense is not tensor:
                tensor.copy_(dense)
        return
    changed = [t for t, result in zip(tensors, results, strict=True) if result.changed]
    bump_versions(changed)


def bump_versions(tensors: Iterable[Tensor]) -> None:
    """Tells autograd that native code has written the tensors."""
    for tensor in tensors:
        if not tensor.is_inference():
            torch.autograd.graph.increment_version(tensor)


def _attached(optimizer: Optimizer) -> list[PrunedWeight]:
    parameters = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [one for one in list(registry) if id(one.weight) in parameters]


def _state_of(optimizer: Optimizer, weight: Tensor) -> Iterable[Tensor]:
    """Momentum and its like: what has the shape of the weight and could move it."""
    for value in optimizer.state.get(weight, {}).values():
        if (
            isinstance(value, Tensor)
            and value.shape == weight.shape
            and value.is_floating_point()
            and value.layout == torch.strided
        ):
            yield value


def _before_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    for one in _attached(optimizer):
        one.before_step()


def _after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    pairs: list[tuple[Tensor, Mask]] = []
    attached = _attached(optimizer)
    with torch.no_grad():
        for one in attached:
            mask = one.mask
            if mask is None:
                continue
            if one.stash():
                continue
            pairs.append((one.weight, mask))
            pairs.extend((value, mask) for value in _state_of(optimizer, one.weight))
        mask_tensors(pairs)
    for one in attached:
        one.written()


register_optimizer_step_pre_hook(_before_step)
register_optimizer_step_post_hook(_after_step)
