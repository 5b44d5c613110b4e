"""Keeping weights pruned while optimizers step.

One pair of hooks on all optimizers of `torch.optim` serves every model. They find the pruned
weights of an optimizer through weak references to what is attached to the modules, so that nothing
of a model outlives it, and no copy, move or replacement of a parameter escapes them.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
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

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

registry: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
"""Every attachment that is alive."""


def mask_tensors(pairs: Iterable[tuple[Tensor, Mask]]) -> None:
    """Makes the pruned elements of each tensor +0, in place; any strides."""
    tensors, masks = [], []
    for tensor, mask in pairs:
        tensors.append(tensor.detach() if tensor.requires_grad else tensor)
        masks.append(mask)
    try:
        changed = _core.apply_masks(tensors, masks)
    except InvalidArgument:  # strides that the core does not know: rare, and one at a time
        for tensor, mask in zip(tensors, masks, strict=True):
            dense = tensor.clone(memory_format=torch.contiguous_format)
            _core.apply_masks([dense], [mask])
            tensor.copy_(dense)
    else:
        bump_versions(itertools.compress(tensors, changed))


def bump_versions(tensors: Iterable[Tensor]) -> None:
    """Tells autograd that native code has written the tensors."""
    for tensor in tensors:
        if not tensor.is_inference():
            torch.autograd.graph.increment_version(tensor)


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


def _among(optimizer: Optimizer, attached: list[PrunedWeight]) -> list[PrunedWeight]:
    """Those whose weights the optimizer moves."""
    parameters = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [one for one in attached if id(one.weight) in parameters]


def _state_of(optimizer: Optimizer, weight: Tensor) -> Iterator[Tensor]:
    """Momentum and its like: what has the shape of the weight and could move it."""
    for value in optimizer.state.get(weight, {}).values():
        if (
            isinstance(value, Tensor)
            and value.shape == weight.shape
            and value.dtype in DTYPES
            and value.layout == torch.strided
        ):
            yield value


def _before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
    out_of_place = [one for one in list(registry) if one.dense is not None]
    exposed = _among(optimizer, out_of_place) if out_of_place else []
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
    pairs: list[tuple[Tensor, Mask]] = []
    attached = _among(optimizer, list(registry))
    for one in attached:
        mask = one.mask
        if mask is None:
            continue
        if one.dense is not None:
            one.enforce()
            continue
        pairs.append((one.weight, mask))
        pairs.extend((value, mask) for value in _state_of(optimizer, one.weight))
    mask_tensors(pairs)
    for one in attached:
        one.written()


# Native calls stay out of graphs: a compiled step breaks at the hooks and runs them as they are.
_disable: Any = torch.compiler.disable
register_optimizer_step_pre_hook(_disable(_before_step))
register_optimizer_step_post_hook(_disable(_after_step))
