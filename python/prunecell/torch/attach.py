"""`attach`: quantizers for the weights of modules, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from prunecell import _core
from prunecell.dying import known_updates, warn_of_dead
from prunecell.quantizer import PruneCell, start
from prunecell.torch.attachment import install, install_holder, remove
from prunecell.torch.dead_rows import warn_of_dead_rows
from prunecell.torch.form import check_form
from prunecell.torch.held_weight import registry
from prunecell.torch.hooks.cell import attached_to, find
from prunecell.torch.hooks.holder import holds
from prunecell.torch.pruned_weight import Leading, PrunedWeight
from prunecell.torch.slot import Slot


@dataclass(frozen=True)
class Request:
    """A quantizer that is to prune the weight of one cell."""

    slot: Slot
    name: str
    quantizer: PruneCell
    beside: tuple[nn.Module, ...] = ()
    """Other modules that are known to hold a parameter of this module."""
    lead: Leading | None = None
    """The weight to follow, for averages; the quantizer has the parameters of its quantizer."""


def attach(requests: Sequence[Request]) -> None:
    """Prunes the weights of modules, in place of the quantizers that they have.

    Raises:
        InvalidArgument: A weight that cannot be pruned, or one that another cell shares and prunes
            with other parameters.
        UnreachableThreshold: See `PruneCell.initialize`.
            After any of them the models are as they were.

    Warns of cells that lost all weights, or all of an output row, though less was asked.
    """
    fresh: list[tuple[PrunedWeight, Slot]] = []
    joining: list[tuple[PrunedWeight, Slot]] = []
    try:
        for request in requests:
            one = _shared(request)
            if one is not None:
                joining.append((one, request.slot))
            elif not _is_attached(request):
                one = PrunedWeight(request.slot, request.name, request.quantizer, request.lead)
                fresh.append((one, request.slot))
        quantizers = list(dict.fromkeys(one.quantizer for one, _ in fresh))
        start(quantizers)
        for quantizer in quantizers:
            quantizer.wait()  # also for devices, whose figures the warnings need
    except BaseException:
        for one, _ in fresh:
            one.quantizer.drop_tensor(one.index)
            registry.alive.discard(one)
        raise
    for one, slot in fresh + joining:
        present = find(slot)
        if present is not one:
            install(one, slot)
            if present is not None:
                remove(present, slot)
    for request in requests:
        _install_beside(request)
    # Averages that follow are left out: their model has been warned about.
    own = [one for one, _ in fresh if one.lead is None]
    warn_of_dead(known_updates(dict.fromkeys(one.quantizer for one in own)))
    warn_of_dead_rows(own)


def _install_beside(request: Request) -> None:
    """Hooks the modules that hold the weight without being cells."""
    one = find(request.slot)
    if one is None:
        return
    for holder in request.beside:
        if one not in attached_to(holder).values() and holds(holder, one.weight):
            install_holder(one, holder)


def _shared(request: Request) -> PrunedWeight | None:
    """The attachment of another cell that holds the same weight, if there is one."""
    _check(request.slot, request.name)
    for one in list(registry.alive):
        if not isinstance(one, PrunedWeight) or one.weight is not request.slot.weight:
            continue
        if not one.serves_beside(request.slot):
            continue
        if request.lead is None or _follow_one(request.lead, one.lead):
            one.check_same(request.name, request.quantizer)
            return one
    return None


def _follow_one(lead: Leading, other: Leading | None) -> bool:
    """Whether both follow one weight."""
    return other is not None and find(lead.slot) is find(other.slot)


def _is_attached(request: Request) -> bool:
    present = find(request.slot)
    return present is not None and present.quantizer is request.quantizer


def _check(slot: Slot, name: str) -> None:
    check_form(name, slot)
    _core.check_array(slot.weight.detach(), f"cell {name!r}: weight", write=True)
