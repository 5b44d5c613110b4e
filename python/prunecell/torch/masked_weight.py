"""`MaskedWeight`: a weight, its mask, and whether anything has written it since it was masked."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from prunecell import _core
from prunecell._core import Figures, GradientHook, Mask
from prunecell.torch.frozen import Frozen
from prunecell.torch.held_weight import HeldWeight, registry
from prunecell.torch.masking import alike, bump_versions, follow, mask_tensors
from prunecell.torch.origin import Origin

frozen: Frozen[MaskedWeight] = Frozen()


class MaskedWeight(HeldWeight):
    """A weight that its mask in the quantizer prunes, in place or beside the full-precision one."""

    dense: Any
    """Where not in place: the full-precision weights, while the parameter holds the pruned ones."""
    is_alone = True
    """Whether one cell holds the weight, no average follows it, and it follows none."""
    origin: Origin | None = None
    """Where a copy comes from, until an optimizer moves it."""

    def __init__(self) -> None:
        super().__init__()
        self._exposed = False
        self._mask: Mask | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._proven = False
        self._masked_state: list[weakref.ref[Tensor]] = []
        self._gradient_hook: GradientHook | None = None
        self._hooked: RemovableHandle | None = None
        self._is_frozen = False

    @property
    def mask(self) -> Mask | None:
        """The mask in force; None in mode Identity."""
        if self._mask is None:  # it keeps its memory when its bits change
            self._set_mask(self.quantizer.mask(self.index))
        return self._mask

    def _set_mask(self, mask: Mask | None) -> None:
        self._mask = mask
        if self._gradient_hook is not None:
            self._gradient_hook.set_mask(mask)

    def counted(self) -> Figures:
        """The figures with the pruned weights that are 0 now in the place of those of the mask."""
        of = self.figures
        return Figures(of.size, of.zeros - len(self.revived()), of.level, of.asked)

    def revived(self) -> Tensor:
        """Indices of pruned weights that are not 0, int64[n, dimensions]; empty if meta."""
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

    def is_ready(self, weight: Any) -> bool:
        """Whether a forward may read the weight as it is, with its gradient hook in place."""
        seen, hooked = self._seen, self._hooked
        if seen is None or seen[0] is not weight or seen[1] != weight._version:
            return False
        if not self.is_alone or self._is_frozen or hooked is None or not weight.requires_grad:
            return False
        hooks = weight._post_accumulate_grad_hooks
        return hooks is not None and hooked.id in hooks

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
        """Remembers the version of the weight, which has just been masked."""
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
        """Follows a cast or a move of the weight by `fn`, which left its version alone."""
        weight = self.weight
        if weight is not None:
            self._seen = (weight, -1)  # matches no version: the values may be new
        if self.dense is not None:
            with torch.no_grad():
                self.dense = fn(self.dense)

    # Optimizer steps

    def stepped(self, weight: Tensor) -> None:
        """Notes that an optimizer has moved the weight and that it is masked again."""
        self.origin = None
        self._seen = None if weight.is_inference() else (weight, weight._version)
        self._proven = True

    def take_proof(self) -> bool:
        """Whether a step left the weight masked and nothing has written it since; once per step.

        An optimizer that torch.optim does not know writes without a trace: no step, no proof.
        """
        seen, proven, self._proven = self._seen, self._proven, False
        return (
            proven and seen is not None and seen[0] is self.weight and seen[1] == seen[0]._version
        )

    def note_state(self, state: Mapping[str, Any]) -> bool:
        """Whether the tensors of this optimizer state are not those that were masked last.

        They are from now on.
        """
        known, place = self._masked_state, 0
        for value in state.values():
            if isinstance(value, Tensor):
                if place == len(known) or known[place]() is not value:
                    break
                place += 1
        else:
            if place == len(known):
                return False
        tensors = (value for value in state.values() if isinstance(value, Tensor))
        self._masked_state = list(map(weakref.ref, tensors))
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
        self._seen = (
            weight,
            -1,
        )  # matches no version: an interrupt leaves it to be masked
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
            self._is_frozen = True
            return
        if self._is_frozen:
            frozen.discard(self)
            self._is_frozen = False
        if self._is_hooked(weight):
            return
        self._unhook_gradient()
        owner = weakref.ref(self)
        self._gradient_hook = GradientHook(owner, functools.partial(_mask_gradient, owner))
        self._gradient_hook.set_mask(self._mask)
        self._hooked = weight.register_post_accumulate_grad_hook(self._gradient_hook)
        registry.changed()

    def _is_hooked(self, weight: Tensor) -> bool:
        """Whether the weight carries the hook of this one."""
        present, on_weight = self._hooked, weight._post_accumulate_grad_hooks
        return present is not None and bool(on_weight) and present.id in on_weight

    def _unhook_gradient(self) -> None:
        if self._hooked is not None:
            self._hooked.remove()
            registry.changed()


def _mask_gradient(owner: weakref.ref[MaskedWeight], parameter: Tensor) -> None:
    """Masks the gradients that `GradientHook` leaves to Python: odd ones, and those of graphs."""
    one, gradient = owner(), parameter.grad
    if one is None or gradient is None or gradient.layout != torch.strided:
        return  # sparse gradients: the step hook masks what they did
    mask = one.mask
    if mask is not None:
        mask_tensors([one], [gradient], [mask])
