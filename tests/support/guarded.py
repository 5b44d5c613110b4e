"""Memory with sentinels on both sides."""

from __future__ import annotations

import axes
import numpy as np

SENTINEL = 0xA5


class Guarded:
    """Room for an array between sentinel bytes, at any offset from its alignment."""

    def __init__(self, array: axes.Array, offset: int = 0) -> None:
        self.memory = np.full(array.nbytes + 128 + offset, SENTINEL, dtype=np.uint8)
        self.start, self.stop = 64 + offset, 64 + offset + array.nbytes
        self.array = self.memory[self.start : self.stop].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def intact(self) -> bool:
        outside = np.concatenate([self.memory[: self.start], self.memory[self.stop :]])
        return bool((outside == SENTINEL).all())
