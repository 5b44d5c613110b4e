"""`PrunedWeight`: what ties one weight of a model to its `PruneCell`.

It sits in the hooks of its modules, so that it is copied, pickled and dropped with them; the rest
of the package holds weak references to it.
"""

from __future__ import annotations

import copy
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from prunecell._core import InvalidArgument, WrongState
from prunecell.quantizer import CellArrays, PruneCell
from prunecell.torch import hooks
from prunecell.torch.brought import Loading
from prunecell.torch.enforce import alike, frozen, registry, watch_before_steps
from prunecell.torch.form import fault
from prunecell.torch.lead import Lead, Origin
from prunecell.torch.masked_weight import MaskedWeight
from prunecell.torch.slot import Slot
from prunecell.torch.source import Source


@dataclass(frozen=True)
class Request:
    """A quantizer for a cell of this name."""

    slot: Slot
    name: str
    quantizer: PruneCell
    beside: tuple[nn.Module, ...] = ()
    """Modules that hold a parameter of this one, too, as far as they are known."""
    lead: Lead | None = None
    """What it is to follow; the quantizer has the parameters of that one."""


class PrunedWeight(MaskedWeight):
    """One weight, the modules that share it, and its place in a `PruneCell`."""

    compressed = False
    """Whether weights of the model are packed, this one or others: its schedule rests."""
    loading: Loading | None = None
    """What a load in progress brings."""
    lead: Lead | None = None
    """Of an average: what it follows. A copy follows nobody."""

    def __init__(self, request: Request) -> None:
        weight: Any = request.slot.weight
        self.name = request.name
        self.quantizer = request.quantizer
        self.dense = None if self.quantizer.in_place else alike(weight, weight)
        self.index = self.quantizer.add_source(Source(self), tuple(weight.shape), self.name)
        self._begin()
        self._slots.append(request.slot)
        if request.lead is not None:
            self.lead = request.lead
            self.lead.take(self)

    def _begin(self) -> None:
        super().__init__()
        self.followers: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
        if self.dense is not None:
            watch_before_steps()
        registry.add(self)

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
        """Whether it is an average, or has one: such weights are swapped through `.data`."""
        return self.lead is not None or len(self.followers) > 0

    def keep_up(self) -> None:
        """Takes mask and schedule of what it follows, if they have changed."""
        if self.lead is not None and not self.compressed and self.lead.take(self):
            self.enforce()

    def is_left_behind(self) -> bool:
        """Whether it is an average that follows nobody; asked once, it is not again."""
        if self.origin is None or not self.origin.is_ahead(self):
            return False
        self.origin = None
        return True

    def exchange(self, quantizer: PruneCell) -> None:
        """Another quantizer prunes the weight from now on; its mask is still to come."""
        self.check_form()
        weight = self.weight
        self.quantizer = quantizer
        self.index = quantizer.add_source(Source(self), tuple(weight.shape), self.name)
        self.dense = None if quantizer.in_place else alike(weight, weight)
        self._mask = None
        if self.dense is not None:
            watch_before_steps()

    # Cells come and go

    def check_same(self, name: str, quantizer: PruneCell) -> None:
        """The parameters of a quantizer for another holder of the weight must be those in force."""
        ours, theirs = self.quantizer.parameters, quantizer.parameters
        if ours != theirs:
            raise InvalidArgument(
                f"cells {self.name!r} and {name!r} share one weight, but are to be pruned "
                f"with different parameters: {ours} and {theirs}"
            )

    def adopt(self, slot: Slot, weight: Tensor | None) -> None:
        """A cell holds the weight. None: it computes one of its own by now."""
        if slot not in self._slots:
            self._slots.append(slot)
        if weight is not None:
            self._hook_gradient(weight)

    def suspend(self, slot: Slot) -> None:
        """The weight is about to be packed: hooks and schedule rest until `resume`."""
        hooks.uninstall(self, slot.module())
        registry.discard(self)

    def resume(self, slot: Slot) -> None:
        """The weight is dense again."""
        hooks.install(self, slot)
        registry.add(self)
        self.written()

    def remove(self, slot: Slot) -> None:
        """Takes the attachment off one cell, the zeros stay."""
        module = slot.module()
        if fault(self.name, slot, self.shape, needs_values=False) is None:
            self.mask_again()
        for follower in list(self.followers):  # once more, or of what prunes the weight from now on
            follower.keep_up()
        hooks.uninstall(self, module)
        hooks.stop_following(self, module)
        self._slots = [one for one in self._slots if not one.gone and one != slot]
        if self._slots:
            for part in module.modules():  # a parametrization of it may be what holds the weight
                if hooks.holds(part, self.weight):
                    hooks.install_holder(self, part)
            return
        for reference in self._holders:
            holder = reference()
            if holder is not None:
                hooks.uninstall(self, holder)
                hooks.stop_following(self, holder)
        registry.discard(self)
        frozen.discard(self)
        self.quantizer.drop_tensor(self.index)
        if self._gradient_hook is not None:
            self._gradient_hook.remove()

    # Whoever reads the weight gets it masked

    def before_forward(self, weight: Any, training: bool) -> None:
        """A weight that was written by hand, or has begun to learn, is taken care of."""
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
