"""`PrunedWeight`: what ties one weight of a model to its `PruneCell`.

It sits in the hooks of its modules, so that it is copied, pickled and dropped with them; the rest
of the package holds weak references to it.
"""

from __future__ import annotations

import copy
import operator
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import _functional_call
from torch.utils.hooks import RemovableHandle

from prunecell import _core
from prunecell._core import Figures, InvalidArgument, Mask, WrongState
from prunecell.quantizer import CellArrays, PruneCell
from prunecell.torch import hooks
from prunecell.torch.brought import Loading
from prunecell.torch.enforce import (
    GradientHook,
    alike,
    bump_versions,
    check_dtype,
    follow,
    frozen,
    mask_tensors,
    registry,
    watch_before_steps,
)
from prunecell.torch.lead import Lead, Origin
from prunecell.torch.slot import Slot


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


class PrunedWeight:
    """One weight, the modules that share it, and its place in a `PruneCell`."""

    dense: Any
    """Where not in place: the full-precision weights, while the parameter holds the pruned ones."""
    compressed = False
    """Whether weights of the model are packed, this one or others: its schedule rests."""
    loading: Loading | None = None
    """What a load in progress brings."""
    lead: Lead | None = None
    """Of an average: what it follows. A copy follows nobody."""
    origin: Origin | None = None
    """Of a copy that no optimizer has moved: what it was copied from."""

    def __init__(self, request: Request) -> None:
        weight: Any = request.slot.weight
        self.name: str = request.name
        self.quantizer: PruneCell = request.quantizer
        self.dense = None if self.quantizer.in_place else alike(weight, weight)
        self.index: int = self.quantizer._add(tuple(weight.shape), self.name)
        self._begin()
        self._slots.append(request.slot)
        if request.lead is not None:
            self.lead = request.lead
            self.lead.take(self)

    def _begin(self) -> None:
        self._slots: list[Slot] = []
        self._holders: list[weakref.ref[nn.Module]] = []
        self._exposed = False
        self._mask: Mask | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._proven = False
        self._masked_state: list[weakref.ref[Tensor]] = []
        self._gradient_hook: RemovableHandle | None = None
        self.followers: weakref.WeakSet[PrunedWeight] = weakref.WeakSet()
        self._join()
        registry.add(self)

    def _join(self) -> None:
        self.quantizer._sources[self.index] = _Source(self)
        if self.dense is not None:
            watch_before_steps()

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
        weight = self.weight
        self.quantizer = quantizer
        self.index = quantizer._add(tuple(weight.shape), self.name)
        self.dense = None if quantizer.in_place else alike(weight, weight)
        self._mask = None
        self._join()

    # The cells that share it

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
    def mask(self) -> Mask | None:
        """The mask in force; None in mode Identity."""
        if self._mask is None:  # it keeps its memory when its bits change
            self._mask = self.quantizer._core.mask(self.index)
        return self._mask

    @property
    def figures(self) -> Figures:
        """Those of the mask."""
        return self.quantizer.figures(self.index)

    def counted(self) -> Figures:
        """The figures with the pruned weights that are 0 now in the place of those of the mask."""
        of = self.figures
        return Figures(of.size, of.zeros - len(self.revived()), of.level, of.asked)

    def revived(self) -> Tensor:
        """Where pruned weights are not 0: int64[n, dimensions]. None in one that has no values."""
        weight, mask = self.weight, self.mask
        if mask is None or weight is None or weight.is_meta:
            return torch.empty((0, 0), dtype=torch.int64)
        kept = torch.from_numpy(np.asarray(mask)).to(weight.device)
        return torch.nonzero((weight.detach() != 0) & ~kept)

    def serves_beside(self, slot: Slot) -> bool:
        """Whether another cell than this one holds the weight, too."""
        return any(not one.gone and one != slot for one in self._slots)

    def check_same(self, name: str, quantizer: PruneCell) -> None:
        """The parameters of a quantizer for another holder of the weight must be those in force."""
        ours, theirs = self.quantizer._parameters, quantizer._parameters
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

    def add_holder(self, module: nn.Module) -> None:
        """The module shares the weight without being a cell of it."""
        self._holders.append(weakref.ref(module))

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
        self.quantizer._core.drop_tensor(self.index)
        if self._gradient_hook is not None:
            self._gradient_hook.remove()

    # Forward

    def before_forward(self, weight: Any, training: bool) -> None:
        """A weight that was written by hand, or has begun to learn, is taken care of."""
        if weight is not None:
            if not isinstance(weight, nn.Parameter):
                return  # torch.func puts tensors of its caller there
            if self._is_foreign(weight):
                return  # or parameters
        self.check_held()
        self._hook_gradient(weight)
        if self.lead is not None or (not training and self.is_averaged):
            self.look()
        elif not self._is_masked(weight):
            self.enforce()

    def check_held(self) -> None:
        """Each cell must hold the weight still.

        Raises:
            WrongState: One computes its own by now, or holds another one.
        """
        held = self.weight
        if held is None or len(self._slots) > 1:
            self._check_each(held)
        if held is not None and self._seen is not None and self._seen[0] is not held:
            self._check_alone(held)

    def _check_each(self, held: Tensor | None) -> None:
        for slot in self._slots:
            if slot.gone:
                continue
            weight = slot.weight
            if weight is None:
                raise WrongState(
                    f"cell {self.name!r}: its weight was replaced by one that is computed from "
                    "others (parametrized or weight_norm); take the quantizer off before that"
                )
            if weight is not held and not _called_functionally():
                raise WrongState(
                    f"cell {self.name!r}: another cell shared its weight when they were pruned and "
                    "holds one of its own now; tie them again, or take the quantizer off both"
                )

    def _check_alone(self, weight: Tensor) -> None:
        """A parameter that is new here must not be pruned for another cell already."""
        for other in list(registry):
            if other is not self and other.weight is weight:
                raise WrongState(
                    f"cells {other.name!r} and {self.name!r} share one weight since they were "
                    "pruned; take the quantizer off one of them, then attach that of the other"
                )

    def mask_again(self) -> None:
        """Masks the weight if something has written it since: by hand, or a step that raised."""
        weight = self.weight
        if not isinstance(weight, nn.Parameter) or self._is_foreign(weight):
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
        if self._is_foreign(weight):
            return False
        self.settle()
        values, expected = weight.detach(), self.is_averaged
        counts = not expected and values.device.type != "cpu"
        before = torch.count_nonzero(values) if counts else None
        changed = self.enforce()
        if before is not None:
            changed = bool(before != torch.count_nonzero(values))
        return changed and not expected

    def _is_foreign(self, weight: Tensor) -> bool:
        """Whether torch.func put it there for its caller."""
        return (self._seen is None or self._seen[0] is not weight) and _called_functionally()

    def _is_masked(self, weight: Tensor) -> bool:
        """Whether nothing has written the weight since it was masked, as its version tells."""
        seen = self._seen
        return seen is not None and seen[0] is weight and seen[1] == weight._version

    def settle(self) -> None:
        """The parameter gets the pruned weights if a step that raised left the others in it."""
        if self._exposed:
            self.mask_again()

    def enforce(self) -> bool:
        """Masks the weight as it is now. Returns whether it changed, as `mask_tensors` does.

        Raises:
            InvalidType: It was cast to a dtype that cannot be pruned.
        """
        mask = self.mask
        changed = False
        if mask is not None:
            check_dtype(f"cell {self.name!r}", self.weight)
            if self.dense is not None and not self.weight.is_meta:
                self._collect()
            (changed,) = mask_tensors([self.weight], [mask])
        self.written()
        return changed

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
        self.origin = None
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

    def moved(self, fn: Callable[[Tensor], Tensor]) -> None:
        """`fn` has been applied to the weight: a cast, or a move, which leave its version alone."""
        weight = self.weight
        if weight is not None:
            self._seen = (weight, -1)  # no version: it may have new values
        if self.dense is not None:
            with torch.no_grad():
                self.dense = fn(self.dense)

    def _see(self, weight: Tensor) -> None:
        # inference tensors have no version
        self._seen = None if weight.is_inference() else (weight, weight._version)

    def arrays(self) -> CellArrays:
        """The memory for the PruneCell."""
        if self.compressed:
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        self.check_held()
        weight = self.weight
        check_dtype(f"cell {self.name!r}", weight)
        if weight.is_meta:
            raise WrongState(
                f"cell {self.name!r}: expected a weight with values, got a meta one; materialize it"
            )
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
        present, on_weight = self._gradient_hook, weight._post_accumulate_grad_hooks
        if not weight.requires_grad:
            frozen.add(self)
            return
        frozen.discard(self)
        if present and on_weight and present.id in on_weight:
            return
        if present is not None:
            present.remove()
        hook = GradientHook(weakref.ref(self))
        self._gradient_hook = weight.register_post_accumulate_grad_hook(hook)

    # Optimizer step, where not in place

    def expose(self) -> None:
        """The parameter gets the full-precision weights, until `enforce` takes them back."""
        mask, weight = self.mask, self.weight
        if mask is None or self._exposed or weight.is_meta:
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
