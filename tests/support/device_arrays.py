"""numpy arrays carried to a CUDA device and back, as arrays that speak DLPack."""

from __future__ import annotations

import ctypes
from typing import Any

import axes
import numpy as np
from device_memory import Memory

GUARD = 64
SENTINEL = 0xA5
CUDA, VERSION = 2, (1, 1)
TYPE_CODES = {"bfloat16": 4}
FLOAT = 2


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class DeviceArray:
    """A copy of a numpy array on the device, as far from alignment, with sentinels around it."""

    def __init__(self, host: axes.Array, memory: type[Memory]) -> None:
        self.host = host
        self.shape = host.shape
        self._offset = GUARD + host.ctypes.data % 16
        self._memory = memory(self._offset + host.nbytes + GUARD)
        fence = bytes([SENTINEL])
        self._memory.write(fence * self._offset + host.tobytes() + fence * GUARD)

    @property
    def address(self) -> int:
        """Where the array begins on the device."""
        return self._memory.address + self._offset

    def bring_back(self) -> None:
        """Writes what is on the device into the host's array."""
        data = np.frombuffer(self._memory.read(), dtype=np.uint8)
        stop = self._offset + self.host.nbytes
        assert (data[: self._offset] == SENTINEL).all()
        assert (data[stop:] == SENTINEL).all()
        if self.host.flags.writeable:
            self.host[...] = data[self._offset : stop].view(self.host.dtype).reshape(self.shape)

    def __dlpack_device__(self) -> tuple[int, int]:
        return CUDA, 0

    def __dlpack__(self, *, stream: int, max_version: Any = None) -> Any:
        assert stream == 1, "the consumer works on the default stream"
        extents = (ctypes.c_int64 * self.host.ndim)(*self.shape)
        self._managed = _Managed(*VERSION, None, None, 0 if self.host.flags.writeable else 1)
        tensor = self._managed.tensor
        tensor.data, tensor.device_type, tensor.ndim = self.address, CUDA, self.host.ndim
        tensor.code = TYPE_CODES.get(self.host.dtype.name, FLOAT)
        tensor.bits, tensor.lanes = 8 * self.host.itemsize, 1
        self._extents = tensor.shape = extents
        return _new_capsule(ctypes.addressof(self._managed), b"dltensor_versioned", None)
