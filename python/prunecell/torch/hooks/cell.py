"""`CellHook`: the forward pre-hook of a cell, which holds what is attached to its weight.

It is copied and pickled with its module, and ties the copy to the copied weight.
"""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor, nn
from torch.compiler import is_compiling, is_dynamo_compiling

from prunecell._core import WrongState
from prunecell.torch.hooks.copied import mask_copy
from prunecell.torch.hooks.unscriptable import Unscriptable
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.slot import Slot


def find(slot: Slot) -> PrunedWeight | None:
    """The attachment of a cell."""
    module = slot.module()
    found = {} if module is None else attached_to(module)
    return found.get(slot.parameter)


def attached_to(module: nn.Module) -> dict[str, PrunedWeight]:
    """The attachments of a module's cells, by the names of the parameters."""
    return {
        hook.parameter: hook.owner
        for hook in module._forward_pre_hooks.values()
        if isinstance(hook, CellHook)
    }


class CellHook(Unscriptable):
    """The forward pre-hook of a cell. It holds what is attached to the weight."""

    def __init__(
        self, owner: PrunedWeight, module: nn.Module, parameter: str, weight: Tensor | None
    ) -> None:
        self.owner: PrunedWeight = owner
        self.parameter: str = parameter
        self._module = weakref.ref(module)
        owner.adopt(Slot(module, parameter), weight)

    def __reduce__(self) -> tuple[Any, ...]:
        module: Any = self._module()  # a copy has no parameters yet: name the weight
        if module is None:
            raise self._replaced("another")
        mask_outgoing([self.owner])
        weight = module._parameters.get(self.parameter)
        return (_copied_cell_hook, (self.owner, module, self.parameter, weight))

    def __call__(self, module: nn.Module, _args: Any) -> None:
        """Before a forward of the module."""
        # Runs at every step with cold caches, where each function call costs microseconds.
        if is_dynamo_compiling():
            return
        weight = module._parameters.get(self.parameter)
        if self._module() is module and self.owner.is_ready(weight):
            return
        if is_compiling() or (self._module() is not module and self._is_on_replica(module)):
            return
        self.owner.before_forward(weight, module.training)

    def _is_on_replica(self, module: Any) -> bool:
        """Whether a module that has copied the hook is a replica, whose weights were masked."""
        if "_is_replica" in module.__dict__:  # DataParallel
            return True
        self.check_on(module)
        return False

    def check_on(self, module: Any) -> None:
        """Raises WrongState on a module that has copied the hook from the one it was made for."""
        own: Any = self._module()  # a replaced module may still be alive in a reference cycle
        if own is module:
            return
        if own is None or own._parameters is not module._parameters:  # shallow copies share them
            raise self._replaced(type(module).__name__)

    def _replaced(self, by: str) -> WrongState:
        return WrongState(
            f"cell {self.owner.name!r}: its module was replaced by one that has copied its hooks, "
            f"{by}; take the quantizer off before, and put it on the new module if that has a "
            "plain weight"
        )


def _copied_cell_hook(
    owner: PrunedWeight, module: nn.Module, parameter: str, weight: Any
) -> CellHook:
    mask_copy(owner, weight)
    if owner.origin is not None and weight is not None:
        owner.origin.copied(weight)
    return CellHook(owner, module, parameter, weight)
