"""`PrunedWeight`: what ties one weight of a model to its `PruneCell`.

It sits in the hooks of its modules, so that it is copied, pickled and dropped with them; the rest
of the package holds weak references to it.
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import _functional_call
from torch.utils.hooks import RemovableHandle

from prunecell import _core
from prunecell._core import InvalidArgument, InvalidType, Mask, WrongState
from prunecell.quantizer import CellArrays, PruneCell, initialize
from prunecell.torch import state
from prunecell.torch.enforce import (
    DTYPES,
    GradientHook,
    alike,
    bump_versions,
    follow,
    frozen,
    mask_tensors,
    registry,
    watch_before_steps,
)


def find(module: nn.Module) -> PrunedWeight | None:
    """The attachment of a module's weight."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, _Hook):
            return hook.owner
    return None


@dataclass(frozen=True)
class Request:
    """A quantizer for the weight of a module; `name` is the module's."""

    module: nn.Module
    name: str
    quantizer: PruneCell


def attach(requests: Iterable[Request]) -> None:
    """Prunes the weights of modules, in place of the quantizers that they have.

    Raises:
        InvalidArgument: A weight that cannot be pruned, or one that another cell shares and prunes
            with other parameters.
        UnreachableThreshold: See `PruneCell.initialize`.
            After any of them the models are as they were.
    """
    fresh: list[tuple[PrunedWeight, nn.Module]] = []
    joining: list[tuple[PrunedWeight, nn.Module]] = []
    try:
        for request in requests:
            one = _shared(request)
            if one is not None:
                joining.append((one, request.module))
            elif not _is_attached(request):
                fresh.append((PrunedWeight(request), request.module))
        initialize(list(dict.fromkeys(one.quantizer for one, _ in fresh)))
    except BaseException:
        for one, _ in fresh:
            one.quantizer._core.drop_tensor(one.index)
            registry.discard(one)
        raise
    for one, module in fresh + joining:
        present = find(module)
        if present is not one:
            one.install(module)
            if present is not None:
                present.remove(module)


def _shared(request: Request) -> PrunedWeight | None:
    """The attachment of another module that holds the same weight."""
    _check(request.module, request.name)
    for one in list(registry):
        if one.weight is request.module.weight and one.serves_beside(request.module):
            one.check_same(request.name, request.quantizer)
            return one
    return None


def _is_attached(request: Request) -> bool:
    present = find(request.module)
    return present is not None and present.quantizer is request.quantizer


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
    if weight.dtype not in DTYPES:
        known = ", ".join(str(dtype) for dtype in DTYPES)
        raise InvalidType(f"cell {name!r}: expected a weight of {known}, got {weight.dtype}")
    _core.check_array(weight.detach(), f"cell {name!r}: weight", write=True)


def _called_functionally() -> bool:
    """Whether torch.func.functional_call is under way: it puts its caller's weights in modules."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _functional_call.__code__:
            return True
        frame = frame.f_back
    return False


class _Source:
    """The memory of a pruned weight, for the PruneCell. Holds it weakly; copies hold nothing."""

    def __init__(self, owner: PrunedWeight | None = None) -> None:
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Source, ())

    def arrays(self) -> CellArrays | None:
        owner = self._owner()
        return None if owner is None or owner.gone else owner.arrays()

    def is_masked(self) -> bool:
        owner = self._owner()
        return owner is not None and owner.take_proof()

    def written(self) -> None:
        owner = self._owner()
        if owner is not None and not owner.gone:
            bump_versions([owner.weight])
            owner.written()


class _Hook:
    """The forward pre-hook of one module. It ties a copy of the module to the copied weight."""

    def __init__(self, owner: PrunedWeight, module: nn.Module, weight: Tensor) -> None:
        self.owner = owner
        self._module = weakref.ref(module)
        owner.adopt(module, weight)

    def __reduce__(self) -> tuple[Any, ...]:
        self.owner.mask_again()
        module: Any = self._module()  # while it is copied it has no parameters yet: name the weight
        return (_copied_hook, (self.owner, module, module._parameters.get("weight")))

    def __call__(self, module: nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if self._module() is not module and self._is_on_replica(module):
            return
        self.owner.before_forward(module._parameters.get("weight"))

    def _is_on_replica(self, module: nn.Module) -> bool:
        """Of a module that has copied the hook: whether its weight is a copy, as it was masked."""
        if "_is_replica" in module.__dict__:  # of DataParallel
            return True
        if self.owner.gone:
            raise WrongState(
                f"cell {self.owner.name!r}: its module was replaced by one that has copied its "
                f"hooks, {type(module).__name__}; take the quantizer off before, and put it on the "
                "new module"
            )
        return False


def _copied_hook(owner: PrunedWeight, module: nn.Module, weight: Any) -> _Hook:
    """Of a copy. Its weight was copied before its hook, maybe as a step that raised left it."""
    if weight is not None and not weight.is_meta and owner.mask is not None:
        mask_tensors([weight], [owner.mask])
    return _Hook(owner, module, weight)


class PrunedWeight:
    """One weight, the modules that share it, and its place in a `PruneCell`."""

    dense: Any
    """Where not in place: the full-precision weights, while the parameter holds the pruned ones."""
    loading: state.Loading | None = None
    """What a load in progress brings."""

    def __init__(self, request: Request) -> None:
        weight: Any = request.module.weight
        self.name = request.name
        self.quantizer = request.quantizer
        self.dense = None if self.quantizer.in_place else alike(weight, weight)
        self.index = self.quantizer._add(tuple(weight.shape), self.name)
        self._begin()
        self._modules.append(weakref.ref(request.module))

    def _begin(self) -> None:
        self._modules: list[weakref.ref[nn.Module]] = []
        self._exposed = False
        self._mask: Mask | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._proven = False
        self._masked_state: list[weakref.ref[Tensor]] = []
        self._gradient_hook: RemovableHandle | None = None
        self.quantizer._sources[self.index] = _Source(self)
        if self.dense is not None:
            watch_before_steps()
        registry.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "quantizer", "dense", "index")}

    def __setstate__(self, copied: dict[str, Any]) -> None:
        self.__dict__.update(copied)
        self._begin()

    # The modules

    @property
    def gone(self) -> bool:
        """Whether no module holds this weight any more."""
        for module in self._modules:  # noqa: SIM110 (asked often, and a generator is slower)
            if module() is not None:
                return False
        return True

    @property
    def weight(self) -> Any:
        """The parameter, looked up now: moves and loads may replace it. None: gone, or packed."""
        for reference in self._modules:
            module = reference()
            if module is not None:
                return module._parameters.get("weight")
        return None

    @property
    def mask(self) -> Mask | None:
        """The mask in force; None in mode Identity."""
        if self._mask is None:  # it keeps its memory when its bits change
            self._mask = self.quantizer._core.mask(self.index)
        return self._mask

    def serves_beside(self, module: nn.Module) -> bool:
        """Whether another module than this one holds the weight, too."""
        return any(one() not in (None, module) for one in self._modules)

    def check_same(self, name: str, quantizer: PruneCell) -> None:
        """The parameters of a quantizer for another holder of the weight must be those in force."""
        ours, theirs = self.quantizer._parameters, quantizer._parameters
        if ours != theirs:
            raise InvalidArgument(
                f"cells {self.name!r} and {name!r} share one weight, but are to be pruned "
                f"with different parameters: {ours} and {theirs}"
            )

    def adopt(self, module: nn.Module, weight: Tensor) -> None:
        """The module holds the weight."""
        if all(one() is not module for one in self._modules):
            self._modules.append(weakref.ref(module))
        self._hook_gradient(weight)

    def install(self, module: Any) -> None:
        """Puts hooks on a module that holds the weight."""
        module.register_forward_pre_hook(_Hook(self, module, module.weight))
        module.register_state_dict_post_hook(partial(state.save, self))
        module.register_load_state_dict_pre_hook(partial(state.before_load, self))
        module.register_load_state_dict_post_hook(partial(state.after_load, self))

    def _uninstall(self, module: nn.Module) -> None:
        for hooks in (
            module._forward_pre_hooks,
            module._state_dict_hooks,
            module._load_state_dict_pre_hooks,
            module._load_state_dict_post_hooks,
        ):
            for key, hook in list(hooks.items()):
                own = getattr(hook, "hook", hook)  # torch wraps those that take the module
                if getattr(own, "owner", None) is self or getattr(own, "args", None) == (self,):
                    del hooks[key]

    def suspend(self, module: nn.Module) -> None:
        """The weight is about to be packed: hooks and schedule rest until `resume`."""
        self._uninstall(module)
        registry.discard(self)

    def resume(self, module: nn.Module) -> None:
        """The weight is dense again."""
        self.install(module)
        registry.add(self)
        self.written()

    def remove(self, module: nn.Module) -> None:
        """Takes the attachment off one module, the zeros stay."""
        self.mask_again()
        self._uninstall(module)
        self._modules = [one for one in self._modules if one() not in (None, module)]
        if self._modules:
            return
        registry.discard(self)
        frozen.discard(self)
        self.quantizer._core.drop_tensor(self.index)
        if self._gradient_hook is not None:
            self._gradient_hook.remove()

    # Forward

    def before_forward(self, weight: Any) -> None:
        """A weight that was written by hand, or has begun to learn, is taken care of."""
        if weight is None:
            raise WrongState(
                f"cell {self.name!r}: its weight was replaced by one that is computed from others "
                "(parametrized or weight_norm); take the quantizer off before that"
            )
        if not isinstance(weight, nn.Parameter):
            return  # torch.func puts tensors of its caller there
        if self._is_foreign(weight):
            return  # or parameters
        self._check_tie(weight)
        self._hook_gradient(weight)
        if not self._is_masked(weight):
            self.enforce()

    def _check_tie(self, weight: Tensor) -> None:
        for reference in self._modules[1:]:
            module = reference()
            if module is not None and module._parameters.get("weight") is not weight:
                raise WrongState(
                    f"cell {self.name!r}: another cell shared its weight when they were pruned and "
                    "holds one of its own now; tie them again, or take the quantizer off both"
                )

    def mask_again(self) -> None:
        """Masks the weight if something has written it since: by hand, or a step that raised."""
        weight = self.weight
        if not isinstance(weight, nn.Parameter) or self._is_foreign(weight):
            return
        if not self._is_masked(weight):
            self.enforce()

    def _is_foreign(self, weight: Tensor) -> bool:
        """Whether torch.func put it there for its caller."""
        return (self._seen is None or self._seen[0] is not weight) and _called_functionally()

    def _is_masked(self, weight: Tensor) -> bool:
        """Whether nothing has written the weight since it was masked, as its version tells."""
        seen = self._seen
        return seen is not None and seen[0] is weight and seen[1] == weight._version

    def enforce(self) -> None:
        """Masks the weight as it is now."""
        mask = self.mask
        if mask is not None:
            if self.dense is not None:
                self._collect()
            mask_tensors([self.weight], [mask])
        self.written()

    def written(self) -> None:
        """The weight is masked, maybe by another mask: remember its version."""
        self._masked_state = []
        weight = self.weight
        if weight is None:
            self._seen = None
            return
        self._see(weight)
        self._hook_gradient(weight)

    def stepped(self, weight: Tensor) -> None:
        """An optimizer has moved the weight, and it is masked again."""
        self._see(weight)
        self._proven = True

    def take_proof(self) -> bool:
        """Whether a step left the weight masked and nothing has written it since; once per step.

        An optimizer that torch.optim does not know writes without a trace: no step, no proof.
        """
        proven, self._proven = self._proven, False
        return proven and self._is_masked(self.weight)

    def note_state(self, state: list[Tensor]) -> bool:
        """Whether this optimizer state is not the one that was masked last. It is from now on."""
        known = [one() for one in self._masked_state]
        if len(known) == len(state) and all(map(operator.is_, known, state)):
            return False
        self._masked_state = [weakref.ref(tensor) for tensor in state]
        return True

    def _see(self, weight: Tensor) -> None:
        # inference tensors have no version
        self._seen = None if weight.is_inference() else (weight, weight._version)

    def arrays(self) -> CellArrays:
        """The memory for the PruneCell."""
        weight = self.weight
        if weight is None:
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        gradient = weight.grad
        if gradient is not None and gradient.layout != torch.strided:
            gradient = None
        if self.dense is None:
            return weight.detach(), gradient, None
        if not self._is_masked(weight):
            self._collect()
        self.dense = alike(weight, self.dense)  # `Module.to` leaves the version as it was
        return self.dense, gradient, weight.detach()

    # Backward

    def follow_frozen(self) -> None:
        """Hooks a weight that has begun to learn."""
        weight = self.weight
        if weight is not None:
            self._hook_gradient(weight)

    def _hook_gradient(self, weight: Any) -> None:
        """Pruned weights get gradient 0 before anyone sees it, gradient clipping for example."""
        present, hooks = self._gradient_hook, weight._post_accumulate_grad_hooks
        if not weight.requires_grad:
            frozen.add(self)
            return
        frozen.discard(self)
        if present and hooks and present.id in hooks:
            return
        if present is not None:
            present.remove()
        hook = GradientHook(weakref.ref(self))
        self._gradient_hook = weight.register_post_accumulate_grad_hook(hook)

    # Optimizer step, where not in place

    @property
    def exposed(self) -> bool:
        """Whether the parameter holds the full-precision weights."""
        return self._exposed

    def expose(self) -> None:
        """The parameter gets the full-precision weights, until `enforce` takes them back."""
        mask, weight = self.mask, self.weight
        if mask is None or self._exposed:
            return
        self.dense = alike(weight, self.dense)
        self._seen = (weight, -1)  # no version: an interrupt from here on leaves it to be masked
        _core.apply_masks([weight.detach()], [follow(mask, weight)], otherwise=[self.dense])
        bump_versions([weight])
        self._exposed = True

    def _collect(self) -> None:
        """The full-precision weights take what the parameter holds: all if exposed, else kept."""
        mask, weight = self.mask, self.weight.detach()
        self.dense = alike(weight, self.dense)
        if mask is None or self._exposed:
            self.dense.copy_(weight)
        else:
            _core.apply_masks([weight], [follow(mask, weight)], [self.dense], [self.dense])
        self._exposed = False
