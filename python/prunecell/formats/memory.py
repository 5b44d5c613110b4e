"""Tensors that share their memory, as tied weights do."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import Any

import numpy as np

from prunecell.formats import with_torch


class FirstNames:
    """The first name of each piece of memory."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[str, weakref.ref[Any]]] = {}

    def of(self, name: str, array: Any) -> str:
        """The name under which this memory was first seen; `name` itself if it is new."""
        memory = memory_of(array)
        if memory is None:
            return name
        # A mapping may make its arrays one by one, as that of numpy's archives does: the address of
        # a freed array is given to the next, which is another tensor.
        first, owner = self._seen.get(memory, (name, None))
        if owner is not None and owner() is not None:
            return first
        self._seen[memory] = name, weakref.ref(array)
        return name


def memory_of(array: Any) -> Hashable | None:
    """A value equal for arrays that are the same elements in memory; None: no memory."""
    if with_torch.is_tensor(array):
        return with_torch.memory_of(array)
    if not isinstance(array, np.ndarray) or array.size == 0:
        return None
    return (array.ctypes.data, array.dtype, array.shape, array.strides)
