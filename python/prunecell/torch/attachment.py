"""Putting a pruned weight on the modules that hold it, and taking it off again."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from prunecell.torch import load, state
from prunecell.torch.form import fault
from prunecell.torch.held_weight import registry
from prunecell.torch.hooks.cell import CellHook
from prunecell.torch.hooks.holder import HolderHook, holds
from prunecell.torch.hooks.moves import follow_moves, stop_following
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.slot import Slot


def install(one: PrunedWeight, slot: Slot) -> None:
    """Puts the hooks of a pruned cell on the module that holds the weight."""
    module, parameter = slot.module(), slot.parameter
    uninstall(one, module)
    module.register_forward_pre_hook(CellHook(one, module, parameter, slot.weight))
    module.register_state_dict_post_hook(partial(state.save, one, parameter))
    module.register_load_state_dict_pre_hook(partial(load.before_load, one, parameter))
    module.register_load_state_dict_post_hook(partial(load.after_load, one))
    follow_moves(one, module)


def install_holder(one: PrunedWeight, module: Any) -> None:
    """Hooks a module that shares the weight without being a cell of it."""
    uninstall(one, module)
    before_what_computes_from_it = HolderHook(one, module, leaves=False)
    module.register_forward_pre_hook(before_what_computes_from_it, prepend=True)
    module.register_state_dict_pre_hook(HolderHook(one, module, leaves=True))
    if any(own is one.weight for own in module._parameters.values()):
        follow_moves(one, module)


def uninstall(one: PrunedWeight, module: nn.Module) -> None:
    """Removes all hooks of the weight from a module, except the `ApplyHook`."""
    registry.changed()
    for hooks in (
        module._forward_pre_hooks,
        module._state_dict_pre_hooks,
        module._state_dict_hooks,
        module._load_state_dict_pre_hooks,
        module._load_state_dict_post_hooks,
    ):
        for key, hook in list(hooks.items()):
            own = getattr(hook, "hook", hook)  # torch wraps those that take the module
            if (
                getattr(own, "owner", None) is one
                or (getattr(own, "args", None) or (None,))[0] is one
            ):
                del hooks[key]


def suspend(one: PrunedWeight, slot: Slot) -> None:
    """Removes the hooks before the weight is packed; `resume` puts them back."""
    uninstall(one, slot.module())
    registry.alive.discard(one)


def resume(one: PrunedWeight, slot: Slot) -> None:
    """Puts the hooks back when the weight is dense again."""
    install(one, slot)
    registry.alive.add(one)
    one.written()


def remove(one: PrunedWeight, slot: Slot) -> None:
    """Takes the attachment off one cell. The zeros stay."""
    module = slot.module()
    if fault(one.name, slot, one.shape, needs_values=False) is None:
        one.mask_again()
    for follower in one.followers():  # a last time: later changes are those of another quantizer
        follower.keep_up()
    _take_off(one, module)
    if one.release(slot):
        for part in module.modules():  # a parametrization may hold the weight
            if holds(part, one.weight):
                install_holder(one, part)
        return
    for holder in one.holders():
        _take_off(one, holder)
    one.end()


def _take_off(one: PrunedWeight, module: nn.Module) -> None:
    uninstall(one, module)
    stop_following(one, module)
