"""`HeldWeight`: a parameter, and the modules that hold it."""

from __future__ import annotations

import sys
import weakref
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.stateless import _functional_call

from prunecell._core import Figures, WrongState
from prunecell.quantizer import PruneCell
from prunecell.torch.form import check_form
from prunecell.torch.slot import Slot


def called_functionally() -> bool:
    """Whether torch.func.functional_call is under way: it puts its caller's weights in modules."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _functional_call.__code__:
            return True
        frame = frame.f_back
    return False


class Registry:
    """All pruned weights of the process, held weakly."""

    def __init__(self) -> None:
        self.alive: weakref.WeakSet[HeldWeight] = weakref.WeakSet()
        """The attachments that are alive."""
        self.generation = 0
        """Rises when hooks are put on a module or a parameter, or are taken off."""

    def changed(self) -> None:
        """Hooks come or go: caches of what was found by hooks are outdated."""
        self.generation += 1


registry = Registry()


class HeldWeight:
    """One weight, the cells that share it, and modules that hold it without being cells."""

    name: str
    """Name of the cell."""
    quantizer: PruneCell
    index: int
    """Number of the tensor in the quantizer."""
    _seen: tuple[Tensor, int] | None
    """The parameter that was masked last, and its version then."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._holders: list[weakref.ref[nn.Module]] = []

    @property
    def gone(self) -> bool:
        """Whether no module holds this weight any more."""
        for slot in self._slots:  # noqa: SIM110 (asked often, and a generator is slower)
            if slot.module() is not None:
                return False
        return True

    @property
    def weight(self) -> Any:
        """The parameter, looked up now: moves and loads may replace it. None: gone, or packed."""
        for slot in self._slots:
            module = slot.module()
            if module is not None:
                return module._parameters.get(slot.parameter)
        return None

    @property
    def figures(self) -> Figures:
        """The figures of its mask."""
        return self.quantizer.figures(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight when it was pruned."""
        return self.quantizer.shape(self.index)

    def serves_beside(self, slot: Slot) -> bool:
        """Whether another cell than this one holds the weight, too."""
        return any(not one.gone and one != slot for one in self._slots)

    def add_holder(self, module: nn.Module) -> None:
        """Notes a module that shares the weight without being a cell of it."""
        self._holders.append(weakref.ref(module))

    def holders(self) -> list[nn.Module]:
        """The modules that share the weight without being cells of it."""
        return [module for holder in self._holders if (module := holder()) is not None]

    def check_form(self, *, needs_values: bool = False) -> None:
        """Raises if the weight has another form than it was pruned in. See `form.fault`."""
        for slot in self._slots:
            if not slot.gone:
                check_form(self.name, slot, self.shape, needs_values=needs_values)
                return

    def check_held(self) -> None:
        """Raises unless each cell holds the weight, or another of the same form.

        Raises:
            InvalidType: One holds a weight that is no plain tensor, or of another dtype.
            WrongState: One computes its own by now, holds another one, or one of another shape.
        """
        held = self.weight
        if held is None or len(self._slots) > 1:
            self._check_each(held)
        if held is not None and self._seen is not None and self._seen[0] is not held:
            self.check_form()
            self._check_alone(held)

    def _check_each(self, held: Tensor | None) -> None:
        for slot in self._slots:
            if slot.gone:
                continue
            weight = slot.weight
            if weight is None:
                check_form(self.name, slot, self.shape)
            if weight is not held and not called_functionally():
                raise WrongState(
                    f"cell {self.name!r}: another cell shared its weight when they were pruned and "
                    "holds one of its own now; tie them again, or take the quantizer off both"
                )

    def _check_alone(self, weight: Tensor) -> None:
        """Raises if a parameter that is new here is pruned for another cell already."""
        for other in list(registry.alive):
            if other is not self and other.weight is weight:
                raise WrongState(
                    f"cells {other.name!r} and {self.name!r} share one weight since they were "
                    "pruned; take the quantizer off one of them, then attach that of the other"
                )

    def is_foreign(self, weight: Tensor) -> bool:
        """Whether torch.func put the weight there for its caller."""
        return (self._seen is None or self._seen[0] is not weight) and called_functionally()
