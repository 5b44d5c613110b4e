"""Masks a model that leaves as a whole, with one warning for all its cells."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from prunecell.torch.hooks.cell import attached_to
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.pruned_weight import PrunedWeight


def watch(net: Any) -> None:
    """From now on a state_dict, a copy or a pickle of the model masks all its cells first."""
    present = net._state_dict_pre_hooks.values()
    if not any(isinstance(getattr(hook, "hook", hook), _Leaving) for hook in present):
        net.register_state_dict_pre_hook(_Leaving(net))


class _Leaving:
    """A state_dict pre-hook. A copy of the model copies it before the modules in it."""

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)

    def __reduce__(self) -> tuple[Any, ...]:
        module: Any = self._module()
        mask_outgoing(_pruned_in(module))
        return (_Leaving, (module,))

    def __call__(self, module: nn.Module, *_: Any) -> None:
        """Before a state_dict of the module."""
        if torch.compiler.is_compiling():
            return
        weights = list(_pruned_in(module))
        for one in weights:
            one.check_held()
        mask_outgoing(weights)


def _pruned_in(module: nn.Module) -> Iterator[PrunedWeight]:
    for layer in module.modules():
        yield from attached_to(layer).values()
