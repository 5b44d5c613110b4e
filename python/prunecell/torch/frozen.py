"""`Frozen`: pruned weights that do not learn."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

W = TypeVar("W")


class Frozen(Generic[W]):
    """The weights that did not learn when they were last seen: they carry no gradient hook."""

    def __init__(self) -> None:
        self._weights: weakref.WeakSet[W] = weakref.WeakSet()
        self.any = False
        """Whether there is one, as a plain attribute: every training step asks."""

    def add(self, one: W) -> None:
        """Adds a weight that does not learn."""
        self._weights.add(one)
        self.any = True

    def discard(self, one: W) -> None:
        """Removes a weight that learns, or is no longer pruned."""
        self._weights.discard(one)
        self.any = len(self._weights) > 0

    def alive(self) -> list[W]:
        """The frozen weights."""
        return list(self._weights)
