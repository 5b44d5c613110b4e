"""Whether arrays of CUDA devices can be pruned here, and why not.

Nothing else is needed to use a device: torch tensors, CuPy arrays and whatever else has DLPack or
`__cuda_array_interface__` are pruned where they lie, on the stream that their framework works on.
"""

from __future__ import annotations

from prunecell import _core

__all__ = ["device_count", "is_available", "unavailable_reason"]


def is_available() -> bool:
    """Whether there is the CUDA back end, a driver and a device. Never raises."""
    return _core.cuda_is_available()


def device_count() -> int:
    """Number of CUDA devices, 0 where `is_available()` is False. Never raises."""
    return _core.cuda_device_count()


def unavailable_reason() -> str:
    """Why `is_available()` is False, in words; empty where it is True."""
    return _core.cuda_unavailable_reason()
