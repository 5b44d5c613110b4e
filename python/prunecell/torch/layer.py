"""`Layer`: what a `Cell` is attached to in a PyTorch model."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import cast

from torch import nn

from prunecell._core import Figures, InvalidType, WrongState
from prunecell.cells import Cell
from prunecell.quantizer import PruneCell
from prunecell.torch.attach import Request, attach
from prunecell.torch.attachment import remove
from prunecell.torch.coverage import Coverage
from prunecell.torch.hooks.cell import find
from prunecell.torch.lead import Lead, twin
from prunecell.torch.packed_weight import Packed, packed_attachment
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.slot import Slot


class Layer:
    """One parameter of a model, for its `Cell`."""

    name = ""
    coverage: Coverage | None = None
    """Coverage of the model that was wrapped last."""
    is_pruned: bool = False
    """Whether a quantizer was attached here and is not taken off; its module may be no more."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.is_pruned = self.attached is not None  # a copied module brings its attachment
        self.beside: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    @classmethod
    def of(cls, cell: Cell) -> Layer:
        """The layer behind a cell."""
        return cast(Layer, cell.attachment)

    @property
    def gone(self) -> bool:
        """Whether its module is no more."""
        return self.slot.gone

    @property
    def attached(self) -> PrunedWeight | None:
        """The attachment that prunes its weight."""
        slot = self._found()
        one = packed_attachment(slot) or find(slot)
        if one is not None:
            one.keep_up()
        return one

    @property
    def quantizer(self) -> PruneCell | None:
        """See `Attachment`."""
        one = self.attached
        return None if one is None else one.quantizer

    @property
    def figures(self) -> Figures | None:
        """See `Attachment`."""
        one = self.attached
        return None if one is None else one.figures

    def request(self, quantizer: PruneCell, lead: Lead | None = None) -> Request:
        """A request to attach the quantizer.

        Raises:
            InvalidType: No PruneCell.
            WrongState: The model is gone, or compressed.
        """
        if not isinstance(quantizer, PruneCell):
            kind = type(quantizer).__name__
            raise InvalidType(f"cell {self.name!r}: expected a prunecell.PruneCell, got {kind}")
        return Request(self._changeable(), self.name, quantizer, tuple(self.beside), lead)

    @staticmethod
    def attach_all(quantizers: Mapping[Layer, PruneCell]) -> None:
        """Attaches to all of them, or none."""
        attach([layer.request(one) for layer, one in quantizers.items()])
        for layer in quantizers:
            layer.is_pruned = True

    @staticmethod
    def follow_all(leads: Mapping[Layer, Slot]) -> None:
        """Has all of them follow the cells of another model, or none."""
        requests = []
        for layer, slot in leads.items():
            one = cast(PrunedWeight, find(slot))
            lead = Lead(slot if one.lead is None else one.lead.slot)
            requests.append(layer.request(twin(one.quantizer), lead))
        attach(requests)
        for layer in leads:
            layer.is_pruned = True

    def attach(self, quantizer: PruneCell) -> None:
        """See `Attachment`."""
        self.attach_all({self: quantizer})
        if self.coverage is not None:
            self.coverage.warn_once()

    def detach(self) -> None:
        """See `Attachment`."""
        one = self.attached
        if one is not None:
            remove(one, self._changeable())
        self.is_pruned = False

    def _found(self) -> Slot:
        if self.gone:
            raise WrongState(f"cell {self.name!r}: its model is gone")
        return self.slot

    def _changeable(self) -> Slot:
        slot = self._found()
        one = self.attached
        if isinstance(slot.module(), Packed) or (one is not None and one.compressed):
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        return slot
