"""Weights that stay packed in memory and are expanded when a forward asks for them.

While a module is compressed its class is a subclass whose packed parameters are properties:
reading one expands its values into a buffer of the calling thread. A buffer is used again once
nothing refers to what was expanded into it, views included: an operation that takes two weights at
once gets two buffers.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from prunecell import ops
from prunecell._core import Mask, WrongState
from prunecell.torch.attachment import resume, suspend
from prunecell.torch.held_weight import registry
from prunecell.torch.hooks.cell import find
from prunecell.torch.load import refuse_load
from prunecell.torch.masking import follow
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.slot import Slot

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


_Bytes = npt.NDArray[np.uint8]


@dataclass(eq=False)
class _Buffer:
    memory: _Bytes
    lent: weakref.ref[_Bytes]
    """The array behind the storage of what was expanded: each view of a tensor keeps it alive."""

    @property
    def free(self) -> bool:
        return self.lent() is None


class _Buffers(threading.local):
    """The buffers of one thread."""

    def __init__(self) -> None:
        self._pool: list[_Buffer] = []

    def lend(self, like: Tensor, shape: torch.Size, stride: tuple[int, ...]) -> Tensor:
        """Uninitialized memory of this shape, in a buffer to which nothing refers."""
        if like.device.type != "cpu":  # torch's allocators of devices reuse memory themselves
            return torch.empty_strided(shape, stride, dtype=like.dtype, device=like.device)
        loan = self._lend_bytes(shape.numel() * like.element_size())
        return torch.from_numpy(loan).view(like.dtype).as_strided(shape, stride)

    def _lend_bytes(self, nbytes: int) -> _Bytes:
        free = (one for one in self._pool if one.free)
        buffer = max(free, key=lambda one: one.memory.nbytes, default=None)
        memory = None if buffer is None else buffer.memory
        if memory is None or memory.nbytes < nbytes:
            memory = torch.empty(nbytes, dtype=torch.uint8, device="cpu").numpy()  # aligned
        if buffer is not None:
            self._pool.remove(buffer)
        loan = memory[:nbytes]
        self._pool.append(_Buffer(memory, weakref.ref(loan)))
        return loan

    def clear(self) -> None:
        """Gives the memory back."""
        self._pool.clear()


_buffers = _Buffers()


class PackedWeight:
    """Where the kept values of one weight go; the values are a buffer of its modules."""

    def __init__(self, parameter: nn.Parameter) -> None:
        weight = parameter.detach()
        self.parameter: nn.Parameter = parameter
        self.shape: torch.Size = weight.shape
        self.stride: tuple[int, ...] = weight.stride()
        bits = weight.contiguous().view(_INTEGERS[weight.element_size()])
        # bits, since -0 and NaN are restored
        self.mask: Mask = Mask.from_array((bits != 0).cpu().numpy())
        kept = self.mask.size - self.mask.zeros
        self.nbytes: int = kept * weight.element_size() + self.mask.packed.nbytes

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def expand(self, values: Tensor) -> Tensor:
        """The dense weight, in a buffer of this thread."""
        dense = _buffers.lend(values, self.shape, self.stride)
        return self._unpack(values, dense)

    def pack(self) -> Tensor:
        """The kept values."""
        weight = self.parameter.detach()
        values: Tensor = ops.pack_weights(weight, follow(self.mask, weight))
        return values

    def dense(self, values: Tensor) -> Tensor:
        """The dense weight, in memory of its own."""
        with torch.inference_mode(False):  # a parameter may learn from it
            out = torch.empty_strided(
                self.shape, self.stride, dtype=values.dtype, device=values.device
            )
        return self._unpack(values, out)

    def restore(self, values: Tensor) -> None:
        """Gives the parameter its dense values back."""
        dense = self.dense(values)
        if dense.is_meta:  # moved there meanwhile: torch exchanges parameters then, as it does here
            self.parameter = nn.Parameter(dense, self.parameter.requires_grad)
        else:
            self.parameter.data = dense

    def _unpack(self, values: Tensor, out: Tensor) -> Tensor:
        if not values.is_meta:
            ops.unpack_weights(values, follow(self.mask, values), out=out)
        return out


class Packed(nn.Module):
    """Base of the classes of compressed modules."""

    _packed: dict[str, PackedWeight]
    """Packed weights by the names of their parameters."""
    _attached: dict[str, PrunedWeight]


def packed_attachment(slot: Slot) -> PrunedWeight | None:
    """The attachment of a cell whose weight is packed."""
    module = slot.module()
    return module._attached.get(slot.parameter) if isinstance(module, Packed) else None


def _values_of(module: Any, parameter: str) -> Tensor:
    values: Tensor = module._buffers[_buffer_of(parameter)]
    return values


def _buffer_of(parameter: str) -> str:
    """The name of the buffer that holds the kept values."""
    return f"{parameter}_packed"


def _expanded(parameter: str) -> property:
    def read(self: Any) -> Tensor:
        if torch.is_grad_enabled():
            raise WrongState(
                "a compressed model is for inference: run it under torch.no_grad() or decompress it"
            )
        expanded: Tensor = self._packed[parameter].expand(_values_of(self, parameter))
        return expanded

    return property(read)


@cache
def _packed_class(kind: type[nn.Module], parameters: tuple[str, ...]) -> type[nn.Module]:
    """A subclass of a layer whose packed parameters are expanded when they are read."""

    def refuse_copy(self: Any, _protocol: Any = None) -> NoReturn:
        raise WrongState("a compressed module cannot be copied or pickled: decompress it first")

    members = {
        "__reduce_ex__": refuse_copy,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        **{name: _expanded(name) for name in parameters},
    }
    return type(kind.__name__, (Packed, kind), members)


def _save_dense(module: Any, out: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """A state_dict post-hook: the keys of a compressed module are those of the dense one."""
    for parameter, packed in module._packed.items():
        out[prefix + parameter] = packed.dense(_values_of(module, parameter))


def compress_parameter(slot: Slot, packed: PackedWeight, values: Tensor) -> None:
    """Puts the packed weight in the place of the dense one, whose memory is given back."""
    module, parameter = slot.module(), slot.parameter
    attached = find(slot)
    if attached is not None:
        suspend(attached, slot)
    if not isinstance(module, Packed):
        _begin(module)
    module._packed[parameter] = packed
    if attached is not None:
        module._attached[parameter] = attached
    del module._parameters[parameter]
    packed.parameter.grad = None
    packed.parameter.data = packed.parameter.data.new_empty(0)
    module._buffers[_buffer_of(parameter)] = values
    module._non_persistent_buffers_set.add(_buffer_of(parameter))
    kind: Any = _packed_class(_kind_of(module), tuple(module._packed))
    module.__class__ = kind
    registry.changed()


def _begin(module: Any) -> None:
    hooks = (
        module.register_state_dict_post_hook(_save_dense),
        module.register_load_state_dict_pre_hook(refuse_load),
    )
    state = {"_packed": {}, "_attached": {}, "_packed_hooks": hooks}
    for name, value in (state | {"_order": list(module._parameters)}).items():
        object.__setattr__(module, name, value)


def _kind_of(module: nn.Module) -> Any:
    kind = type(module)
    return kind.__mro__[2] if isinstance(module, Packed) else kind


def release_buffers() -> None:
    """Gives back what this thread expanded weights into."""
    _buffers.clear()


def decompress_module(module: Any) -> None:
    """Undoes `compress_parameter`: the old parameters, dense, in their old order."""
    packed, attached, order = module._packed, module._attached, module._order
    for hook in module._packed_hooks:
        hook.remove()
    module.__class__ = _kind_of(module)
    for name in ("_packed", "_attached", "_packed_hooks", "_order"):
        object.__delattr__(module, name)
    parameters = dict.fromkeys(order) | module._parameters
    for name, one in packed.items():
        values = module._buffers.pop(_buffer_of(name))
        module._non_persistent_buffers_set.discard(_buffer_of(name))
        if one.parameter.numel() != one.shape.numel():  # once, where it is shared
            one.restore(values)
        parameters[name] = one.parameter
    module._parameters.clear()
    module._parameters.update(parameters)
    for name, one in attached.items():
        resume(one, Slot(module, name))
