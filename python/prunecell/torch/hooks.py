"""What a pruned weight puts on the modules that hold it: hooks, and an `_apply` of its own.

All of it is copied and pickled with its module, and ties the copy to the copied weight.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prunecell._core import WrongState
from prunecell.torch import load, state
from prunecell.torch.enforce import mask_tensors
from prunecell.torch.outgoing import mask_outgoing
from prunecell.torch.slot import Slot
from prunecell.torch.unscriptable import Unscriptable

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight


def find(slot: Slot) -> PrunedWeight | None:
    """What is attached to a cell."""
    module = slot.module()
    found = {} if module is None else attached_to(module)
    return found.get(slot.parameter)


def attached_to(module: nn.Module) -> dict[str, PrunedWeight]:
    """What is attached to the cells of a module, by the name of the parameter."""
    return {
        hook.parameter: hook.owner
        for hook in module._forward_pre_hooks.values()
        if isinstance(hook, CellHook)
    }


def install(one: PrunedWeight, slot: Slot) -> None:
    """Makes what holds the weight a pruned cell."""
    module, parameter = slot.module(), slot.parameter
    uninstall(one, module)
    module.register_forward_pre_hook(CellHook(one, module, parameter, slot.weight))
    module.register_state_dict_post_hook(partial(state.save, one, parameter))
    module.register_load_state_dict_pre_hook(partial(load.before_load, one, parameter))
    module.register_load_state_dict_post_hook(partial(load.after_load, one))
    follow_moves(one, module)


def install_holder(one: PrunedWeight, module: Any) -> None:
    """Has a module that shares the weight, and is no cell of it, see pruned weights only."""
    uninstall(one, module)
    before_what_computes_from_it = HolderHook(one, module, leaves=False)
    module.register_forward_pre_hook(before_what_computes_from_it, prepend=True)
    module.register_state_dict_pre_hook(HolderHook(one, module, leaves=True))
    if any(own is one.weight for own in module._parameters.values()):
        follow_moves(one, module)


def uninstall(one: PrunedWeight, module: nn.Module) -> None:
    """Takes everything off a module but what follows moves."""
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


def follow_moves(one: PrunedWeight, module: nn.Module) -> None:
    """From now on the full-precision weights are cast and moved with the module's own tensors."""
    present = module.__dict__.get("_apply")
    if not isinstance(present, ApplyHook):
        present = module.__dict__["_apply"] = ApplyHook(module, [])
    present.add(one)


def stop_following(one: PrunedWeight, module: nn.Module) -> None:
    """The reverse."""
    present = module.__dict__.get("_apply")
    if isinstance(present, ApplyHook) and not present.drop(one):
        del module.__dict__["_apply"]


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
        module: Any = self._module()  # while it is copied it has no parameters yet: name the weight
        if module is None:
            raise self._replaced("another")
        mask_outgoing([self.owner])
        weight = module._parameters.get(self.parameter)
        return (_copied_cell_hook, (self.owner, module, self.parameter, weight))

    def __call__(self, module: nn.Module, _args: Any) -> None:
        """Before a forward of the module."""
        if torch.compiler.is_compiling():
            return
        if self._module() is not module and self._is_on_replica(module):
            return
        self.owner.before_forward(module._parameters.get(self.parameter), module.training)

    def _is_on_replica(self, module: Any) -> bool:
        """Of a module that has copied the hook: whether its weight is a copy, as it was masked."""
        if "_is_replica" in module.__dict__:  # of DataParallel
            return True
        self.check_on(module)
        return False

    def check_on(self, module: Any) -> None:
        """Raises WrongState on a module that has copied the hook from the one it was made for."""
        own: Any = self._module()  # of what was replaced, a cycle of references may be alive yet
        if own is module:
            return
        if own is None or own._parameters is not module._parameters:  # as a shallow copy has them
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
    _mask_copy(owner, weight)
    if owner.origin is not None and weight is not None:
        owner.origin.copied(weight)
    return CellHook(owner, module, parameter, weight)


def _mask_copy(owner: PrunedWeight, weight: Any) -> None:
    """A weight was copied before its hooks, maybe as a step that raised left it."""
    if weight is not None and not weight.is_meta and owner.mask is not None:
        mask_tensors([owner], [weight], [owner.mask])


class HolderHook(Unscriptable):
    """Masks a weight before a module that shares it runs or is saved.

    A copy of such a module without the cells is an ordinary module: the hook holds nothing.
    """

    def __init__(self, owner: PrunedWeight | None, module: nn.Module, *, leaves: bool) -> None:
        self._leaves = leaves
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)
        self._module = weakref.ref(module)
        if owner is not None:
            owner.add_holder(module)

    @property
    def owner(self) -> PrunedWeight | None:
        """What is attached to the weight, while a cell has it."""
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
        if torch.compiler.is_compiling():
            return
        owner = self.owner
        if owner is not None and self._leaves:
            mask_outgoing([owner])
        elif owner is not None:
            owner.mask_again()


def read_by(module: nn.Module) -> list[nn.Parameter]:
    """The parameters, under whatever name, that a forward of the module reads itself."""
    read = list(module._parameters.values())
    if isinstance(module, nn.MultiheadAttention):  # which calls no forward of its last layer
        read.append(module.out_proj._parameters.get("weight"))
    return [one for one in read if one is not None]


def holds(module: Any, weight: Any) -> bool:
    """Whether the weight is one of these parameters."""
    return any(one is weight for one in read_by(module))


def _copied_holder_hook(
    owner: PrunedWeight | None, module: nn.Module, weight: Any, leaves: bool
) -> HolderHook:
    if owner is not None:
        _mask_copy(owner, weight)
    return HolderHook(owner, module, leaves=leaves)


class ApplyHook:
    """In the place of a module's `_apply`, through which torch casts and moves its tensors.

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
        """A weight that the module holds; once is enough."""
        if one not in self._alive():
            self._owners.append(weakref.ref(one))

    def drop(self, one: PrunedWeight) -> bool:
        """The weight is not pruned any more. Returns whether others are."""
        self._owners = [weakref.ref(other) for other in self._alive() if other is not one]
        return bool(self._owners)

    def _alive(self) -> list[PrunedWeight]:
        return [one for owner in self._owners if (one := owner()) is not None]
