"""`MaskedWeight`: a weight, its mask, and whether anything has written it since it was masked."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from prunecell import _core
from prunecell._core import Figures, Mask
from prunecell.torch.held_weight import HeldWeight, registry
from prunecell.torch.masking import alike, bump_versions, follow, mask_tensors
from prunecell.torch.origin import Origin

frozen: weakref.WeakSet[MaskedWeight] = weakref.WeakSet()
"""Those whose weights did not learn when they were last seen: such weights carry no hook yet."""


class MaskedWeight(HeldWeight):
    """A weight that its mask in the quantizer prunes, in place or beside the full-precision one."""

    dense: Any
    """Where not in place: the full-precision weights, while the parameter holds the pruned ones."""
    origin: Origin | None = None
    """Of a copy that no optimizer has moved: what it was copied from."""

    def __init__(self) -> None:
        super().__init__()
        self._exposed = False
        self._mask: Mask | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._proven = False
        self._masked_state: list[weakref.ref[Tensor]] = []
        self._gradient_hook: RemovableHandle | None = None

    @property
    def mask(self) -> Mask | None:
        """The mask in force; None in mode Identity."""
        if self._mask is None:  # it keeps its memory when its bits change
            self._mask = self.quantizer.mask(self.index)
        return self._mask

    def counted(self) -> Figures:
        """The figures with the pruned weights that are 0 now in the place of those of the mask."""
        of = self.figures
        return Figures(of.size, of.zeros - len(self.revived()), of.level, of.asked)

    def revived(self) -> Tensor:
        """Where pruned weights are not 0: int64[n, dimensions]. None in one that has no values."""
        weight, mask = self.weight, self.mask
        if mask is None or weight is None or weight.is_meta:
            return torch.empty((0, 0), dtype=torch.int64)
        self.check_form()
        kept = torch.from_numpy(np.asarray(mask)).to(weight.device)
        return torch.nonzero((weight.detach() != 0) & ~kept)

    def _is_masked(self, weight: Tensor) -> bool:
        """Whether nothing has written the weight since it was masked, as its version tells."""
        seen = self._seen
        return seen is not None and seen[0] is weight and seen[1] == weight._version

    def enforce(self) -> bool:
        """Masks the weight as it is now. Returns whether it changed, as `mask_tensors` does.

        Raises:
            InvalidType: It is no plain tensor by now, or of a dtype that cannot be pruned.
            WrongState: It is computed by now, has another shape, or its storage was given back.
        """
        mask = self.mask
        changed = False
        if mask is not None:
            self.check_form()
            if self.dense is not None and not self.weight.is_meta:
                self._collect()
            (changed,) = mask_tensors([self], [self.weight], [mask])
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

    def _see(self, weight: Tensor) -> None:
        # inference tensors have no version
        self._seen = None if weight.is_inference() else (weight, weight._version)

    def moved(self, fn: Callable[[Tensor], Tensor]) -> None:
        """`fn` has been applied to the weight: a cast, or a move, which leave its version alone."""
        weight = self.weight
        if weight is not None:
            self._seen = (weight, -1)  # no version: it may have new values
        if self.dense is not None:
            with torch.no_grad():
                self.dense = fn(self.dense)

    # Optimizer steps

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

    def settle(self) -> None:
        """The parameter gets the pruned weights if a step that raised left the others in it."""
        if self._exposed:
            self.enforce()

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

    # Backward

    def follow_frozen(self) -> None:
        """Hooks a weight that has begun to learn."""
        weight = self.weight
        if weight is not None:
            self._hook_gradient(weight)

    def _hook_gradient(self, weight: Any) -> None:
        """Pruned weights get gradient 0 before anyone sees it, gradient clipping for example."""
        if not weight.requires_grad:
            frozen.add(self)
            return
        frozen.discard(self)
        if self._is_hooked(weight):
            return
        self._unhook_gradient()
        hook = GradientHook(self)
        self._gradient_hook = weight.register_post_accumulate_grad_hook(hook)
        registry.changed()

    def _is_hooked(self, weight: Tensor) -> bool:
        """Whether the weight carries the hook of this one."""
        present, on_weight = self._gradient_hook, weight._post_accumulate_grad_hooks
        return present is not None and bool(on_weight) and present.id in on_weight

    def _unhook_gradient(self) -> None:
        if self._gradient_hook is not None:
            self._gradient_hook.remove()
            registry.changed()


class GradientHook:
    """On a parameter that learns: pruned weights get gradient 0 before anyone sees it.

    It is also how an optimizer's parameters lead to what is attached to them.
    """

    __slots__ = ("owner",)

    def __init__(self, owner: MaskedWeight) -> None:
        self.owner: weakref.ref[MaskedWeight] = weakref.ref(owner)

    def __call__(self, parameter: Tensor) -> None:
        """Masks the gradient that has just been accumulated."""
        owner, gradient = self.owner(), parameter.grad
        if owner is None or gradient is None or gradient.layout != torch.strided:
            return  # sparse gradients: the step hook masks what they did
        mask = owner.mask
        if mask is not None:
            mask_tensors([owner], [gradient], [mask])
