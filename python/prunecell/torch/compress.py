"""Inference with weights that stay packed in memory."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from prunecell import _core
from prunecell._core import WrongState
from prunecell.torch.form import fault
from prunecell.torch.hooks.cell import attached_to, find
from prunecell.torch.model import Model
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.packed_weight import (
    Packed,
    PackedWeight,
    compress_parameter,
    decompress_module,
    release_buffers,
)
from prunecell.torch.slot import Slot
from prunecell.torch.wrap import unwrap, wrap


def compress(net: nn.Module | Model) -> dict[str, tuple[int, int]]:
    """Packs the weights of all cells, embeddings included, and gives their dense memory back.

    A forward expands one weight at a time into a reused buffer: outputs equal those of the dense
    model bit for bit. For inference, under `torch.no_grad()` or `torch.inference_mode()`: a
    forward with gradients raises. Schedules and optimizer hooks rest until `decompress`; gradients
    are dropped. Dense stay weights that would not become smaller, and those that a module which is
    no cell holds, too, or a cell under another name. A holder outside of `net` is not seen.

    Returns:
        For each packed cell, by name, its bytes dense and packed.

    Raises:
        WrongState: The model is compressed already.
    """
    module = unwrap(net)
    if any(_packed_modules(module)):
        raise WrongState("compress: the model is compressed already")
    bytes_of = _compress_cells(module)
    _core.trim_memory()  # the allocator would keep the pages of what was dense
    return bytes_of


def decompress(net: nn.Module | Model) -> None:
    """Gives the dense weights back, in the parameters from before; pruning goes on where it was."""
    module = unwrap(net)
    for layer in list(_packed_modules(module)):
        decompress_module(layer)
    for layer in module.modules():
        for attached in attached_to(layer).values():
            attached.compressed = False
    release_buffers()


def _packed_modules(net: nn.Module) -> Iterator[nn.Module]:
    return (module for module in net.modules() if isinstance(module, Packed))


def _compress_cells(module: nn.Module) -> dict[str, tuple[int, int]]:
    packed: dict[int, tuple[PackedWeight, Tensor]] = {}  # by id of the parameter
    bytes_of: dict[str, tuple[int, int]] = {}
    slots = wrap(module, embeddings=True).slots
    attached = [one for slot in slots.values() if (one := find(slot)) is not None]
    mask_outgoing(attached)
    needed = _needed_dense(module, set(slots.values()))
    for name, slot in slots.items():
        if fault(name, slot) is not None:
            continue
        weight = slot.weight
        if id(weight) in needed:
            continue
        if id(weight) not in packed:
            packing = PackedWeight(weight)
            if packing.nbytes >= weight.nbytes:
                continue
            values = packing.pack()
            packed[id(weight)] = packing, values
            bytes_of[name] = weight.nbytes, packing.nbytes
        compress_parameter(slot, *packed[id(weight)])
    for one in attached:  # dense ones included: a model is compressed as a whole
        one.compressed = bool(packed)
    return bytes_of


def _needed_dense(module: nn.Module, slots: set[Slot]) -> set[int]:
    """The parameters, by id, that are read otherwise than as the attribute of a cell's module."""
    return {
        id(parameter)
        for holder in module.modules()
        for name, parameter in holder._parameters.items()
        if Slot(holder, name) not in slots or isinstance(holder, nn.RNNBase)  # reads a list of them
    }
