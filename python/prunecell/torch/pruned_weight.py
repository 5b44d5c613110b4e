"""`PrunedWeight`: what ties one weight of a model to its `PruneCell`.

It sits in the module as a forward pre-hook (and as hooks on its state_dict), so that it is copied,
pickled and dropped with the module; the rest of the package holds weak references to it.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from prunecell import _core
from prunecell._core import InvalidArgument, InvalidType, Mask, WrongState
from prunecell.quantizer import CellArrays, PruneCell
from prunecell.torch import state
from prunecell.torch.enforce import bump_versions, mask_tensors, registry

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def find(module: nn.Module) -> PrunedWeight | None:
    """The attachment of a module's weight."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, PrunedWeight):
            return hook
    return None


def attach(module: nn.Module, name: str, quantizer: PruneCell) -> PrunedWeight:
    """Prunes the weight of `module` by `quantizer`.

    Raises:
        InvalidArgument: A weight that cannot be pruned, or one that another cell shares and prunes
            with other parameters.
        UnreachableThreshold: See `PruneCell.initialize`; nothing is attached then.
    """
    _check(module, name)
    shared = next((one for one in list(registry) if one.weight is module.weight), None)
    if shared is not None:
        shared.join(module, name, quantizer)
        return shared
    return PrunedWeight(module, name, quantizer)


def _check(module: nn.Module, name: str) -> None:
    weight = module._parameters.get("weight")
    if torch.nn.utils.parametrize.is_parametrized(module, "weight") or weight is None:
        raise InvalidArgument(
            f"cell {name!r}: expected a plain weight, got one that is computed from others "
            "(parametrized or weight_norm); remove that first"
        )
    if torch.nn.parameter.is_lazy(weight) or weight.device.type == "meta":
        raise InvalidArgument(
            f"cell {name!r}: expected a weight with values, got a lazy or meta one; materialize it"
        )
    if weight.dtype not in _DTYPES:
        known = ", ".join(str(dtype) for dtype in _DTYPES)
        raise InvalidType(f"cell {name!r}: expected a weight of {known}, got {weight.dtype}")
    _core.check_array(weight.detach(), f"cell {name!r}: weight", write=True)


class _Source:
    """The memory of a pruned weight, for the PruneCell; holds it weakly, and copies hold nothing."""

    def __init__(self, owner: PrunedWeight | None = None) -> None:
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Source, ())

    def arrays(self) -> CellArrays | None:
        owner = self._owner()
        return None if owner is None or owner.gone else owner.arrays()

    def written(self) -> None:
        owner = self._owner()
        if owner is not None and not owner.gone:
            owner.written(changed=True)


class _StateHook:
    """One of the hooks on a module's state_dict; torch sets attributes on it, as on no bound method."""

    def __init__(self, owner: PrunedWeight, call: str) -> None:
        self.owner = owner
        self.call = call

    def __call__(self, *args: Any) -> None:
        getattr(self.owner, self.call)(*args)


class PrunedWeight:
    """One weight, the modules that share it, and its place in a `PruneCell`."""

    def __init__(self, module: nn.Module, name: str, quantizer: PruneCell) -> None:
        self.quantizer = quantizer
        self.names = [name]
        self._modules = [weakref.ref(module)]
        # Where not in place: the full-precision weights. The parameter holds the pruned ones.
        self.dense = None if quantizer.in_place else module.weight.detach().clone()
        self._restored = False
        self._seen: tuple[weakref.ref[Tensor], int] | None = None
        self._hooked: weakref.ref[Tensor] | None = None
        self._gradient_hook: Any = None
        self.index = quantizer._add(tuple(module.weight.shape), name, _Source(self))
        try:
            quantizer.initialize()
        except _core.Error:
            quantizer._core.drop_tensor(self.index)
            raise
        self._install(module)
        registry.add(self)
        self._hook_gradient()

    # What it is tied to

    @property
    def gone(self) -> bool:
        """Whether no module holds this weight any more."""
        return all(module() is None for module in self._modules)

    @property
    def weight(self) -> Any:
        """The parameter, looked up now: moves and loads may replace it. None when gone."""
        for reference in self._modules:
            module = reference()
            if module is not None:
                return module._parameters.get("weight")
        return None

    @property
    def mask(self) -> Mask | None:
        """The mask in force; None in mode Identity."""
        return self.quantizer._core.mask(self.index)

    def join(self, module: nn.Module, name: str, quantizer: PruneCell) -> None:
        """Another module that holds the same weight: one mask serves both."""
        if quantizer is not self.quantizer:
            ours, theirs = self.quantizer._parameters, quantizer._parameters
            if ours != theirs:
                raise InvalidArgument(
                    f"cells {self.names[0]!r} and {name!r} share one weight, but are to be pruned "
                    f"with different parameters: {ours} and {theirs}"
                )
        self.names.append(name)
        self._modules.append(weakref.ref(module))
        self._install(module)

    def _install(self, module: nn.Module) -> None:
        module.register_forward_pre_hook(self)
        module.register_state_dict_post_hook(_StateHook(self, "save"))
        module.register_load_state_dict_pre_hook(_StateHook(self, "before_load"))
        module.register_load_state_dict_post_hook(_StateHook(self, "after_load"))

    def _uninstall(self, module: nn.Module) -> None:
        for hooks in (
            module._forward_pre_hooks,
            module._state_dict_hooks,
            module._load_state_dict_pre_hooks,
            module._load_state_dict_post_hooks,
        ):
            for key, hook in list(hooks.items()):
                hook = getattr(hook, "hook", hook)  # torch wraps those that take the module
                if hook is self or getattr(hook, "owner", None) is self:
                    del hooks[key]

    def suspend(self, module: nn.Module) -> None:
        """The weight is about to be packed: hooks and schedule rest until `resume`."""
        self._uninstall(module)
        registry.discard(self)

    def resume(self, module: nn.Module) -> None:
        """The weight is dense again."""
        self._install(module)
        registry.add(self)
        self.written()

    def remove(self, module: nn.Module) -> None:
        """Takes the attachment off one module, the weights stay as they are."""
        self._uninstall(module)
        self._modules = [one for one in self._modules if one() not in (None, module)]
        if self._modules:
            return
        registry.discard(self)
        self.quantizer._core.drop_tensor(self.index)
        if self._gradient_hook is not None:
            self._gradient_hook.remove()

    # Copies

    def __deepcopy__(self, memo: dict[int, Any]) -> PrunedWeight:
        from copy import deepcopy

        new = PrunedWeight.__new__(PrunedWeight)
        memo[id(self)] = new
        owners = [memo.get(id(module())) for module in self._modules]  # copied before their hooks
        new._restore(self._plain(), [one for one in owners if one is not None])
        new.quantizer = deepcopy(self.quantizer, memo)
        new.dense = deepcopy(self.dense, memo)
        new.quantizer._sources[new.index] = _Source(new)
        return new

    def _plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("names", "index", "quantizer", "dense")}

    def __getstate__(self) -> dict[str, Any]:
        owners = [module() for module in self._modules]
        return self._plain() | {"owners": [one for one in owners if one is not None]}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        owners = pickled.pop("owners")
        self._restore(pickled, owners)
        self.quantizer._sources[self.index] = _Source(self)

    def _restore(self, plain: dict[str, Any], owners: list[nn.Module]) -> None:
        self.__dict__.update(plain | {"names": list(plain["names"])})
        self._modules = [weakref.ref(module) for module in owners]
        self._restored = False
        self._seen = self._hooked = self._gradient_hook = None
        registry.add(self)

    # Forward

    def __call__(self, _module: nn.Module, _args: Any) -> None:
        """Before forward: a weight that was written by hand is masked again."""
        if torch.compiler.is_compiling():
            return
        weight = self.weight
        if self._hooked is None or self._hooked() is not weight:
            self._hook_gradient()
        if weight.is_inference():
            self.enforce()
        elif self._seen is None or self._seen[0]() is not weight or self._seen[1] != weight._version:
            self.enforce()

    def enforce(self) -> None:
        """Masks the weight as it is now."""
        mask, weight = self.mask, self.weight
        if mask is not None:
            with torch.no_grad():
                if self.dense is not None:
                    self._collect()
                mask_tensors([(weight.detach(), mask)])
        self.written()

    def written(self, *, changed: bool = False) -> None:
        """The weight is masked: remember its version. `changed`: native code has just written it."""
        weight = self.weight
        if weight is None or weight.is_inference():
            self._seen = None
            return
        if changed:
            bump_versions([weight])
        self._seen = (weakref.ref(weight), weight._version)

    def arrays(self) -> CellArrays:
        """The memory for the PruneCell."""
        if self.weight is None:
            raise WrongState(f"cell {self.names[0]!r}: the model is compressed, decompress it first")
        weight = self.weight.detach()
        gradient = self.weight.grad
        if self.dense is None:
            return weight, gradient, None
        self._collect()
        return self.dense, gradient, weight

    # Backward

    def _hook_gradient(self) -> None:
        weight = self.weight
        if weight is None or not weight.requires_grad or not weight.is_leaf:
            return
        this = weakref.ref(self)

        def mask_gradient(parameter: Tensor) -> None:
            owner, gradient = this(), parameter.grad
            if owner is None or gradient is None or gradient.layout != torch.strided:
                return  # sparse gradients: the step hook masks what they did
            mask = owner.mask
            if mask is not None:
                with torch.no_grad():
                    mask_tensors([(gradient, mask)])

        if self._gradient_hook is not None:
            self._gradient_hook.remove()
        self._gradient_hook = weight.register_post_accumulate_grad_hook(mask_gradient)
        self._hooked = weakref.ref(weight)

    # Optimizer step, where not in place

    def before_step(self) -> None:
        """The optimizer is to see full-precision weights."""
        mask = self.mask
        if self.dense is None or mask is None or self._restored:
            return
        self._follow(self.weight)
        with torch.no_grad():
            weight = self.weight.detach()
            _core.apply_masks([weight], [mask], [None], [self.dense])
        bump_versions([self.weight])
        self._restored = True

    def stash(self) -> bool:
        """Full-precision weights after a step go aside. False: the weight is only to be masked."""
        if self.dense is None or not self._restored:
            return False
        with torch.no_grad():
            self.dense.copy_(self.weight)
            mask_tensors([(self.weight.detach(), self.mask)])
        self._restored = False
        return True

    def _collect(self) -> None:
        """Kept weights that were changed by hand enter the full-precision ones."""
        mask = self.mask
        self._follow(self.weight)
        if mask is None:
            self.dense.copy_(self.weight.detach())
        else:
            _core.apply_masks([self.weight.detach()], [mask], [self.dense], [self.dense])

    def _follow(self, weight: Tensor) -> None:
        """After .to(), .half() and the like the full-precision weights go where the weight went."""
        if self.dense.dtype != weight.dtype or self.dense.device != weight.device:
            self.dense = self.dense.to(device=weight.device, dtype=weight.dtype)

    # state_dict

    def save(self, _module: nn.Module, out: dict[str, Any], prefix: str, _metadata: Any) -> None:
        """A state_dict post-hook."""
        out.update(state.encode(self, prefix))

    def before_load(self, _module: nn.Module, given: dict[str, Any], prefix: str, *_: Any) -> None:
        """A load_state_dict pre-hook: everything is checked before the parameter is loaded."""
        self._loading = state.take(self, given, prefix)

    def after_load(self, _module: nn.Module, _incompatible: Any) -> None:
        """A load_state_dict post-hook."""
        loading, self._loading = self._loading, None
        if loading is None:
            return
        self._seen = None
        state.restore(self, loading)
        self._hook_gradient()

    _loading: state.Loading | None = None
