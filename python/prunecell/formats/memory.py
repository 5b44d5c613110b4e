"""Which tensors are one piece of memory, as tied weights are."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from prunecell.formats import with_torch


def memory_of(array: Any) -> Hashable | None:
    """Equal for arrays or tensors that are the same elements in memory; None: of no memory."""
    if with_torch.is_tensor(array):
        return with_torch.memory_of(array)
    if not isinstance(array, np.ndarray) or array.size == 0:
        return None
    return (array.ctypes.data, array.dtype, array.shape, array.strides)
