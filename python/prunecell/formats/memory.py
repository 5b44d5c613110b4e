"""Which tensors are one piece of memory, as tied weights are."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import Any

import numpy as np

from prunecell.formats import with_torch


class FirstNames:
    """The first names of arrays or tensors, by their memory."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[str, weakref.ref[Any]]] = {}

    def of(self, name: str, array: Any) -> str:
        """The name under which this memory came first; `name` itself where it is new."""
        memory = memory_of(array)
        if memory is None:
            return name
        # A mapping may make its arrays one by one, as numpy's of an archive does: the address of
        # one that is gone is given to the next, which is another tensor.
        first, owner = self._seen.get(memory, (name, None))
        if owner is not None and owner() is not None:
            return first
        self._seen[memory] = name, weakref.ref(array)
        return name


def memory_of(array: Any) -> Hashable | None:
    """Equal for arrays or tensors that are the same elements in memory; None: of no memory."""
    if with_torch.is_tensor(array):
        return with_torch.memory_of(array)
    if not isinstance(array, np.ndarray) or array.size == 0:
        return None
    return (array.ctypes.data, array.dtype, array.shape, array.strides)
