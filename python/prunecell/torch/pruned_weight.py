"""`PrunedWeight`: what ties one weight of a model to its `PruneCell`.

It sits in the hooks of its modules, so that it is copied, pickled and dropped with them; the rest
of the package holds weak references to it.
"""

from __future__ import annotations

import copy
import weakref
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from prunecell._core import InvalidArgument, WrongState
from prunecell.quantizer import CellArrays, PruneCell
from prunecell.torch.held_weight import registry
from prunecell.torch.loading import Loading
from prunecell.torch.masked_weight import MaskedWeight, frozen
from prunecell.torch.masking import alike
from prunecell.torch.origin import Origin
from prunecell.torch.slot import Slot
from prunecell.torch.source import Source
from prunecell.torch.steps import watch_before_steps


class Leading(Protocol):
    """What the weight of an average follows. See `lead.Lead`."""

    @property
    def ended(self) -> bool:
        """Whether nobody is followed any more."""

    @property
    def slot(self) -> Slot:
        """Where the weight lies that is followed."""

    def take(self, one: PrunedWeight) -> bool:
        """Gives the weight what has changed since. Returns whether anything has; masks nothing."""


class PrunedWeight(MaskedWeight):
    """One weight, the modules that share it, and its place in a `PruneCell`."""

    compressed = False
    """Whether the model is compressed, this weight or others: its schedule rests."""
    loading: Loading | None = None
    """What a load in progress brings."""
    lead: Leading | None = None
    """What the weight of an average follows. A copy follows nobody."""

    def __init__(
        self, slot: Slot, name: str, quantizer: PruneCell, lead: Leading | None = None
    ) -> None:
        weight: Any = slot.weight
        self.name = name
        self.quantizer = quantizer
        self.dense = None if self.quantizer.in_place else alike(weight, weight)
        self.index = self.quantizer.add_source(Source(self), tuple(weight.shape), self.name)
        self._begin()
        self._slots.append(slot)
        if lead is not None:
            self.lead = lead
            self.is_alone = False
            lead.take(self)

    def _begin(self) -> None:
        super().__init__()
        self._followers: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
        if self.dense is not None:
            watch_before_steps()
        registry.alive.add(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> PrunedWeight:
        new = PrunedWeight.__new__(PrunedWeight)
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        new.origin = Origin(self)
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "quantizer", "dense", "index")}

    def __setstate__(self, copied: dict[str, Any]) -> None:
        self.__dict__.update(copied)
        self._begin()
        self.quantizer.replace_source(self.index, Source(self))

    # Averages

    @property
    def is_averaged(self) -> bool:
        """Whether the weight is an average or has one: averages are swapped through `.data`."""
        return self.lead is not None or len(self._followers) > 0

    def followers(self) -> list[PrunedWeight]:
        """The weights of averages that follow this one."""
        return list(self._followers)

    def add_follower(self, average: PrunedWeight) -> None:
        """Notes the weight of an average that follows this one."""
        self._followers.add(average)
        self.is_alone = False

    def keep_up(self) -> None:
        """Takes mask and schedule of what it follows, if they have changed."""
        if self.lead is not None and not self.compressed and self.lead.take(self):
            self.enforce()

    def is_left_behind(self) -> bool:
        """Whether the weight is an average that follows nobody; True at most once."""
        if self.origin is None or self.lead is not None or not self.origin.is_ahead(self):
            return False
        self.origin = None
        return True

    def exchange(self, quantizer: PruneCell) -> None:
        """Gives the weight to another quantizer, whose mask is still to come."""
        self.check_form()
        weight = self.weight
        self.quantizer = quantizer
        self.index = quantizer.add_source(Source(self), tuple(weight.shape), self.name)
        self.dense = None if quantizer.in_place else alike(weight, weight)
        self._set_mask(None)
        if self.dense is not None:
            watch_before_steps()

    # Cells come and go

    def check_same(self, name: str, quantizer: PruneCell) -> None:
        """Raises if a quantizer for another holder of the weight has other parameters."""
        ours, theirs = self.quantizer.parameters, quantizer.parameters
        if ours != theirs:
            raise InvalidArgument(
                f"cells {self.name!r} and {name!r} share one weight, but are to be pruned "
                f"with different parameters: {ours} and {theirs}"
            )

    def adopt(self, slot: Slot, weight: Tensor | None) -> None:
        """Adds a cell that holds the weight; `weight` is None where the cell computes its own."""
        if slot not in self._slots:
            self._slots.append(slot)
        self.is_alone = self.is_alone and len(self._slots) == 1
        if weight is not None:
            self._hook_gradient(weight)
        registry.changed()

    def release(self, slot: Slot) -> bool:
        """Removes a cell that holds the weight. Returns whether others hold it."""
        self._slots = [one for one in self._slots if not one.gone and one != slot]
        return bool(self._slots)

    def end(self) -> None:
        """Gives the place in the quantizer back when no cell holds the weight."""
        registry.alive.discard(self)
        frozen.discard(self)
        self.quantizer.drop_tensor(self.index)
        self._unhook_gradient()

    # Readers of the weight get it masked

    def before_forward(self, weight: Any, training: bool) -> None:
        """Masks a weight that was written by hand, and hooks one that has begun to learn."""
        if weight is not None:
            if not isinstance(weight, nn.Parameter):
                return  # torch.func puts tensors of its caller there
            if self.is_foreign(weight):
                return  # or parameters
        self.check_held()
        self._hook_gradient(weight)
        if self.lead is not None or (not training and self.is_averaged):
            self.look()
        elif not self._is_masked(weight):
            self.enforce()

    def mask_again(self) -> None:
        """Masks the weight if something has written it since: by hand, or a step that raised."""
        weight = self.weight
        if not isinstance(weight, nn.Parameter) or self.is_foreign(weight):
            return
        if self.is_averaged:
            self.look()
        elif not self._is_masked(weight):
            self.enforce()

    def look(self) -> bool:
        """Masks the weight whatever its version says. Returns whether that was called for.

        It was if a pruned weight was not 0, but for averages, where that is no surprise. The host
        waits for weights of a device, to know.
        """
        self.keep_up()
        weight, mask = self.weight, self.mask
        if mask is None or not isinstance(weight, nn.Parameter) or weight.is_meta:
            return False
        if self.is_foreign(weight):
            return False
        self.check_form()
        self.settle()
        values, expected = weight.detach(), self.is_averaged
        counts = not expected and values.device.type != "cpu"
        before = torch.count_nonzero(values) if counts else None
        changed = self.enforce()
        if before is not None:
            changed = bool(before != torch.count_nonzero(values))
        return changed and not expected

    def arrays(self) -> CellArrays:
        """The memory for the PruneCell."""
        if self.compressed:
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        self.check_held()
        self.check_form(needs_values=True)
        weight = self.weight
        gradient = weight.grad
        if gradient is not None and gradient.layout != torch.strided:
            gradient = None
        if self.dense is None:
            return weight.detach(), gradient, None
        if not self._is_masked(weight):
            self._collect()
        self.dense = alike(weight, self.dense)  # `Module.to` leaves the version as it was
        return self.dense, gradient, weight.detach()
