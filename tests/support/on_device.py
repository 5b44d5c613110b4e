"""The native core with numpy arrays carried to a CUDA device and back at every call.

The suites written for numpy run over the kernels by it, without a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import axes
import numpy as np
import pytest
from device_arrays import DeviceArray
from device_memory import Memory
from prunecell import LevelSearch, Mask, _core

DEVICE = "cuda:0"


class Carrier:
    """The arrays and masks of one call."""

    def __init__(self, memory: type[Memory]) -> None:
        self._memory = memory
        self._arrays: dict[tuple[int, int], DeviceArray] = {}
        self._masks: dict[int, tuple[Mask, Mask]] = {}

    def array(self, array: Any) -> Any:
        """Other values than acceptable numpy arrays go as they are, to be refused."""
        if not isinstance(array, np.ndarray) or array.dtype not in axes.DTYPES.values():
            return array
        if not array.flags.c_contiguous:
            return array
        place = (array.ctypes.data, array.nbytes)
        if place not in self._arrays:
            self._arrays[place] = DeviceArray(array, self._memory)
        return self._arrays[place]

    def arrays(self, arrays: Any) -> Any:
        return None if arrays is None else [self.array(array) for array in arrays]

    def mask(self, mask: Any) -> Any:
        if not isinstance(mask, Mask):
            return mask
        if id(mask) not in self._masks:
            self._masks[id(mask)] = (mask, mask.to(DEVICE))
        return self._masks[id(mask)][1]

    def masks(self, masks: Any) -> list[Any]:
        return [self.mask(mask) for mask in masks]

    def tensors(self, tensors: Any) -> Any:
        return [tuple(self.array(array) for array in one) for one in tensors]

    def calls(self, calls: Any) -> Any:
        return [(cell, self.tensors(tensors)) for cell, tensors in calls]

    def bring_back(self) -> None:
        for array in self._arrays.values():
            array.bring_back()
        for mask, there in self._masks.values():
            mask.assign(there)


@contextmanager
def core_on_device(memory: type[Memory]) -> Iterator[None]:
    """While it lasts, every call of the core runs on the device."""

    def carried(function: Callable[..., Any], carry: Callable[..., tuple[Any, ...]]) -> Any:
        def call(*given: Any, **keywords: Any) -> Any:
            carrier = Carrier(memory)
            try:
                return function(*carry(carrier, *given), **keywords)
            finally:
                carrier.bring_back()

        return call

    def built(function: Callable[..., Any]) -> Any:
        def call(weights: Any, masks: Any, old: Any, **keywords: Any) -> Any:
            carrier = Carrier(memory)
            given = None if masks is None else carrier.masks(masks)
            try:
                new, results = function(
                    carrier.arrays(weights), given, carrier.masks(old), **keywords
                )
            finally:
                carrier.bring_back()
            return [mask.to("cpu") for mask in new] if masks is None else masks, results

        return call

    def driven(function: Callable[..., Any]) -> Any:
        def call(calls: Any, *given: Any, **keywords: Any) -> list[int]:
            carrier = Carrier(memory)
            try:
                function(carrier.calls(calls), *given, **keywords)
                for cell, _ in calls:
                    cell.wait()  # errors and figures as early as on the CPU
                return list(range(len(calls)))
            finally:
                carrier.bring_back()

        return call

    with pytest.MonkeyPatch.context() as patch:

        def replace(owner: Any, name: str, carry: Callable[..., tuple[Any, ...]]) -> None:
            patch.setattr(owner, name, carried(getattr(owner, name), carry))

        patch.setattr(_core, "build_masks", built(_core.build_masks))
        replace(
            _core,
            "apply_masks",
            lambda c, w, m, *rest: (c.arrays(w), c.masks(m), *map(c.arrays, rest)),
        )
        replace(_core, "pack_weights", lambda c, w, m, v: (c.array(w), c.mask(m), c.array(v)))
        replace(_core, "unpack_weights", lambda c, v, m, o: (c.array(v), c.mask(m), c.array(o)))
        replace(_core, "count_zeros", lambda c, w: (c.arrays(w),))
        replace(LevelSearch, "count", lambda c, s, w, old=None: (s, c.array(w), c.mask(old)))
        for name in ("propagate", "back_propagate"):
            replace(_core.PruneCell, name, lambda c, cell, t: (cell, c.tensors(t)))
        for name in ("initialize", "update", "end_epoch"):
            patch.setattr(_core, name, driven(getattr(_core, name)))
        yield
