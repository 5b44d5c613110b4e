"""`Coverage`: which matrices of a model no cell covers, and the warning about them."""

from __future__ import annotations

import weakref

from torch import nn

from prunecell.shown import short_list
from prunecell.torch.kinds import is_matrix, present, tables
from prunecell.torch.slot import Slot
from prunecell.warning import warn

_UNSAID = 0.1
"""Share of the matrix weights that may stay dense without a warning."""

_NAMED = 3
"""Matrices that the warning names, the largest first."""

_warned: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class Coverage:
    """The matrices of a model and the cells that it was wrapped with.

    Args:
        net: The model.
        slots: Those of the cells.
        excluded: Names of parameters that are not to be cells.
    """

    def __init__(self, net: nn.Module, slots: list[Slot], excluded: set[str]) -> None:
        self._net = weakref.ref(net)
        self._slots = slots
        self._excluded = excluded

    def uncovered(self) -> dict[str, float]:
        """Names of the matrices that no cell covers, with their share of all matrix weights.

        Tables of embeddings, which are looked up and not multiplied, are no matrices here.
        """
        net = self._net()
        if net is None:
            return {}
        held = ((present(slot.module()), slot) for slot in self._slots if not slot.gone)
        cells = [named[slot.parameter] for named, slot in held if slot.parameter in named]
        covered = {id(one): one.shape.numel() for one in cells}
        known = covered.keys() | tables(net)
        left = {
            name: one.numel()
            for name, one in net.named_parameters()
            if is_matrix(one) and id(one) not in known
        }
        total = sum(covered.values()) + sum(left.values())
        return {name: size / total for name, size in left.items()}

    def warn_once(self) -> None:
        """Warns once per model if more than a tenth of the matrix weights will stay dense."""
        net = self._net()
        if net is None or net in _warned:
            return
        left = {n: share for n, share in self.uncovered().items() if n not in self._excluded}
        _warned.add(net)
        if sum(left.values()) <= _UNSAID:
            return
        largest = sorted(left, key=lambda name: -left[name])
        warn(
            f"{type(net).__name__}: {sum(left.values()):.0%} of the matrix weights are in no cell "
            f"and stay dense: {short_list(largest, _NAMED)}. wrap(net, include=...) makes cells "
            "of them, exclude=... says that it is meant; model.uncovered lists them"
        )
