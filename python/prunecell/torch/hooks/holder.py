"""`HolderHook`: on modules that share a weight without being cells of it."""

from __future__ import annotations

import weakref
from typing import Any

from torch import nn
from torch.compiler import is_compiling

from prunecell.torch.hooks.copied import mask_copy
from prunecell.torch.hooks.unscriptable import Unscriptable
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.pruned_weight import PrunedWeight


class HolderHook(Unscriptable):
    """Masks a weight before a module that shares it runs or is saved.

    A copy of the module without the cells is an ordinary module: the hook holds nothing.
    """

    def __init__(self, owner: PrunedWeight | None, module: nn.Module, *, leaves: bool) -> None:
        self._leaves = leaves
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)
        self._module = weakref.ref(module)
        if owner is not None:
            owner.add_holder(module)

    @property
    def owner(self) -> PrunedWeight | None:
        """The attachment of the weight, while a cell has it."""
        return self._owner()

    def __reduce__(self) -> tuple[Any, ...]:
        owner, module = self.owner, self._module()
        weight = None
        if owner is not None and holds(module, owner.weight):
            mask_outgoing([owner])
            weight = owner.weight
        return (_copied_holder_hook, (owner, module, weight, self._leaves))

    def __call__(self, *_: Any) -> None:
        """Before a forward or a state_dict of the module."""
        if is_compiling():
            return
        owner = self.owner
        if owner is not None and self._leaves:
            mask_outgoing([owner])
        elif owner is not None:
            owner.mask_again()


def read_by(module: nn.Module) -> list[nn.Parameter]:
    """The parameters, under whatever name, that a forward of the module reads itself."""
    read = list(module._parameters.values())
    if isinstance(module, nn.MultiheadAttention):  # it never calls the forward of its last layer
        read.append(module.out_proj._parameters.get("weight"))
    return [one for one in read if one is not None]


def holds(module: Any, weight: Any) -> bool:
    """Whether the weight is one of these parameters."""
    return any(one is weight for one in read_by(module))


def _copied_holder_hook(
    owner: PrunedWeight | None, module: nn.Module, weight: Any, leaves: bool
) -> HolderHook:
    if owner is not None:
        mask_copy(owner, weight)
    return HolderHook(owner, module, leaves=leaves)
