"""Memory of CUDA device 0: of the shim that the tests build, or of a GPU through PyTorch."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np
from embedding import ROOT, cmake
from prunecell import _core

SHIM = ROOT / "build" / "simt-python"
SHIM_PLUGIN = SHIM / "tests" / "cpp" / "libprunecell_cuda_simt.so"


class Memory(Protocol):
    """Bytes on the device."""

    address: int

    def write(self, data: bytes) -> None: ...

    def read(self) -> bytes: ...


class ShimMemory:
    """Memory of the shim's `cudaMalloc`: poisoned, with guards that find kernels outside of it."""

    runtime: ctypes.CDLL

    def __init__(self, size: int) -> None:
        self._pointer = ctypes.c_void_p()
        self._size = size
        self._call("cudaMalloc", ctypes.byref(self._pointer), ctypes.c_size_t(max(size, 1)))
        self.address = self._pointer.value or 0

    def write(self, data: bytes) -> None:
        self._copy(self._pointer, ctypes.c_char_p(data))

    def read(self) -> bytes:
        data = ctypes.create_string_buffer(self._size)
        self._copy(data, self._pointer)
        return data.raw

    def _copy(self, to: Any, source: Any) -> None:
        by_address = 4
        self._call("cudaMemcpy", to, source, ctypes.c_size_t(self._size), by_address)

    def _call(self, name: str, *arguments: Any) -> None:
        error = getattr(self.runtime, name)(*arguments)
        assert error == 0, f"{name}: CUDA error {error}"

    def __del__(self) -> None:
        self.runtime.cudaFree(self._pointer)


class TorchMemory:
    """Memory of a GPU, from PyTorch."""

    def __init__(self, size: int) -> None:
        import torch

        self._bytes = torch.empty(size, dtype=torch.uint8, device="cuda")
        self.address = self._bytes.data_ptr()

    def write(self, data: bytes) -> None:
        import torch

        self._bytes.copy_(torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy()))

    def read(self) -> bytes:
        return bytes(self._bytes.cpu().numpy())


def load_shim() -> None:
    """Builds the CUDA back end over the shim and makes the package use it."""
    options = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DPRUNECELL_SIMT=ON", "-DPRUNECELL_TESTS=ON"]
    off = [f"-DPRUNECELL_{name}=OFF" for name in ("CUDA", "OPENMP", "PYTHON")]
    cmake("-S", ROOT, "-B", SHIM, *options, *off)
    cmake("--build", SHIM, "--target", "prunecell_cuda_simt", "--parallel", "2")
    _core.load_cuda_plugin(str(SHIM_PLUGIN))
    ShimMemory.runtime = ctypes.CDLL(str(SHIM / "tools/cuda_on_host/simt/libprunecell_simt.so"))
