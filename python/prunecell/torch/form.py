"""The form of a weight: what it must be to be pruned, and what to do where it is something else.

It is checked when a quantizer is attached and wherever a weight may be another one since: layers
and parameters are exchanged, quantized, sharded, cast and resized without telling anybody.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from prunecell._core import Error, InvalidArgument, InvalidType, WrongState
from prunecell.torch.slot import Slot

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_form(
    name: str, slot: Slot, shape: tuple[int, ...] | None = None, *, needs_values: bool = True
) -> None:
    """Raises the fault of the weight of a cell. See `fault`."""
    found = fault(name, slot, shape, needs_values=needs_values)
    if found is not None:
        raise found


def fault(
    name: str, slot: Slot, shape: tuple[int, ...] | None = None, *, needs_values: bool = True
) -> Error | None:
    """What keeps the weight of a cell from being pruned; None: nothing.

    Args:
        name: The cell.
        slot: Where its weight lies.
        shape: What it was pruned with; None: it is about to be attached.
        needs_values: Whether a meta weight will not do, as where masks are built.

    Returns:
        InvalidType for a Tensor subclass, layout or dtype; for what else is wrong InvalidArgument,
        or WrongState where the weight was pruned before.
    """
    kind = InvalidArgument if shape is None else WrongState
    weight = slot.weight
    if nn.utils.parametrize.is_parametrized(slot.module(), slot.parameter) or weight is None:
        return kind(f"cell {name!r}: expected a plain weight, got {_absent(slot)}")
    if nn.parameter.is_lazy(weight) or (weight.is_meta and needs_values):
        got = "lazy" if nn.parameter.is_lazy(weight) else "meta"
        return kind(
            f"cell {name!r}: expected a weight with values, got a {got} one; materialize it"
        )
    return tensor_fault(f"cell {name!r}", weight, shape)


def tensor_fault(what: str, weight: Tensor, shape: tuple[int, ...] | None = None) -> Error | None:
    """As `fault`, for a tensor that may be meta; `what` names it in the error."""
    odd = not_plain(weight, pruned=shape is not None)
    if odd is not None:
        return InvalidType(f"{what}: expected a plain dense tensor, got {odd}")
    if weight.dtype not in DTYPES:
        known = ", ".join(str(dtype) for dtype in DTYPES)
        return InvalidType(
            f"{what}: expected a weight of {known}, got {weight.dtype}; "
            f"cast it, or {_before_quantizing(shape is not None)}"
        )
    if shape is not None and weight.shape != shape:
        return WrongState(
            f"{what}: expected the shape that it was pruned with, {shape}, "
            f"got {tuple(weight.shape)}; take the quantizer off and attach it again"
        )
    if weight.numel() and not weight.is_meta and not weight.untyped_storage().size():
        kind = InvalidArgument if shape is None else WrongState
        return kind(
            f"{what}: expected a weight in memory, got one whose storage was given back, as "
            "between the forwards of FSDP; sharded weights are not supported yet"
        )
    return None


def not_plain(tensor: Tensor, *, pruned: bool = False) -> str | None:
    """What a tensor is whose elements do not lie in memory one by one, and what to do about it.

    Args:
        tensor: Any.
        pruned: Whether a quantizer is attached.
    """
    kind = type(tensor)
    named = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        if named.startswith("torch.distributed."):
            return f"{named}; sharded weights are not supported yet"
        return f"{named}; {_before_quantizing(pruned)}"  # torchao, quanto
    if tensor.is_nested:
        return "a nested one; prune the tensors that it is made of"
    if tensor.layout != torch.strided:
        return f"one of layout {tensor.layout}; prune to_dense() of it"
    return None


def _before_quantizing(pruned: bool) -> str:
    return "take the quantizer off before quantizing" if pruned else "prune before quantizing"


def _absent(slot: Slot) -> str:
    """What is there where a module holds no parameter of this name."""
    module: Any = slot.module()
    if isinstance(getattr(module, slot.parameter, None), Tensor):
        return "one that is computed from others (parametrized or weight_norm); remove that first"
    return f"none: {type(module).__name__} has packed or dropped it; take it as it was before"
