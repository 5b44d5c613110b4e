"""The floor and the reference's algorithm (cpp/floor.hpp), called from Python."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

POINTER, INT64, FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


class Floor:
    def __init__(self, library: Path, threads: int) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        self._threads = threads
        self._library.floor_read.argtypes = [POINTER, INT64, ctypes.c_int]
        self._library.floor_read.restype = ctypes.c_uint64

    def read(self, array: Any) -> None:
        """Reads every byte once."""
        self._library.floor_read(array.ctypes.data, array.nbytes, self._threads)

    def reference(self, name: str, weights: Any, threshold: float, delta: float, mask: Any) -> int:
        """One of the two forms of the reference's algorithm; fills a mask of one uint32 each."""
        algorithm = getattr(self._library, name)
        algorithm.argtypes = [POINTER, INT64, FLOAT, FLOAT, POINTER, ctypes.c_int]
        algorithm.restype = INT64
        return algorithm(
            weights.ctypes.data, weights.size, threshold, delta, mask.ctypes.data, self._threads
        )
