"""`ApplyHook`: full-precision weights are cast and moved with the tensors of their modules."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from prunecell._core import WrongState
from prunecell.torch.pruned_weight import PrunedWeight


def follow_moves(one: PrunedWeight, module: nn.Module) -> None:
    """From now on the full-precision weights are cast and moved with the module's own tensors."""
    present = module.__dict__.get("_apply")
    if not isinstance(present, ApplyHook):
        present = module.__dict__["_apply"] = ApplyHook(module, [])
    present.add(one)


def stop_following(one: PrunedWeight, module: nn.Module) -> None:
    """Undoes `follow_moves`."""
    present = module.__dict__.get("_apply")
    if isinstance(present, ApplyHook) and not present.drop(one):
        del module.__dict__["_apply"]


class ApplyHook:
    """Replaces a module's `_apply`, through which torch casts and moves its tensors.

    Full-precision weights that are no tensors of the module get what its weight gets: after
    `net.half().float()` both are rounded. A weight that was exchanged this way is masked again.
    """

    def __init__(self, module: nn.Module, owners: list[PrunedWeight]) -> None:
        self._module = weakref.ref(module)
        self._owners = [weakref.ref(one) for one in owners]

    def __reduce__(self) -> tuple[Any, ...]:
        return (ApplyHook, (self._module(), self._alive()))

    def __call__(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """What torch calls: `fn` for every tensor of the module and of those in it."""
        module: Any = self._module()
        if module is None:
            raise WrongState("to: the module was replaced by a shallow copy; use copy.deepcopy")
        owners = self._alive()
        for one in owners:
            one.settle()
        type(module)._apply(module, fn, recurse)
        for one in owners:
            one.moved(fn)
        return module

    def add(self, one: PrunedWeight) -> None:
        """Adds a weight that the module holds."""
        if one not in self._alive():
            self._owners.append(weakref.ref(one))

    def drop(self, one: PrunedWeight) -> bool:
        """Removes a weight that is no longer pruned. Returns whether others are left."""
        self._owners = [weakref.ref(other) for other in self._alive() if other is not one]
        return bool(self._owners)

    def _alive(self) -> list[PrunedWeight]:
        return [one for owner in self._owners if (one := owner()) is not None]
