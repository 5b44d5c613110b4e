"""Masks on tensors: whatever their strides, wherever they lie, with autograd told of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from prunecell import _core
from prunecell._core import InvalidArgument, Mask
from prunecell.torch.form import tensor_fault


class Named(Protocol):
    """The owner of a tensor, named in errors."""

    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its mask."""


def mask_tensors(owners: Sequence[Named], tensors: list[Tensor], masks: list[Mask]) -> list[bool]:
    """Makes the pruned elements of each tensor +0, in place; any strides.

    The tensors are the weights of their owners, or are shaped like those.

    Returns, for each tensor, whether some element was not. Nobody waits for a CUDA device: its
    answer is True. Autograd is told of the tensors that changed.

    Raises:
        InvalidType: A tensor is not as its weight was when it was pruned.
        WrongState: The same for its shape or memory. Both name the cell; nothing is masked then.
    """
    try:
        changed = _core.apply_masks(tensors, masks)
    except (InvalidArgument, RuntimeError):  # rare, and one at a time; torch lends no meta tensors
        for one, tensor in zip(owners, tensors, strict=True):
            found = tensor_fault(f"cell {one.name!r}", tensor, one.shape)
            if found is not None:
                raise found from None
        return [_mask_one(tensor, mask) for tensor, mask in zip(tensors, masks, strict=True)]
    if True in changed:
        bump_versions(itertools.compress(tensors, changed))
    return changed


def _mask_one(tensor: Tensor, mask: Mask) -> bool:
    """Masks one tensor that was moved, lies on another device, or has odd strides."""
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
    """The mask, moved to the device of its weight: `Module.to` tells nobody."""
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
    with torch.inference_mode(False):  # long-lived tensors are no inference tensors
        return torch.empty_like(weight, requires_grad=False).copy_(values.detach())
