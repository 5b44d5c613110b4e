"""Conversion from and to torch tensors: the only module here that imports torch, when called."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from prunecell._core import InvalidType

if TYPE_CHECKING:
    from prunecell.formats.dtypes import DType

# from_numpy of older versions knows no unsigned integers beyond 8 bits.
_INTEGERS = {1: "uint8", 2: "int16", 4: "int32", 8: "int64"}


def require() -> Any:
    """The torch module.

    Raises:
        ModuleNotFoundError: PyTorch is not installed; the message says how to install it.
    """
    try:
        import torch.nn  # any folder called torch passes for a bare torch
    except ImportError as error:
        raise ModuleNotFoundError(
            "torch tensors need PyTorch: pip install 'prunecell[torch]'"
        ) from error
    return torch


def save(content: Any, file: IO[bytes]) -> None:
    """Runs `torch.save`, which hides the error of a full disk, and raises that error.

    Raises:
        OSError: A write to the file failed.
    """
    watched = _Watched(file)
    try:
        require().save(content, watched)
    except Exception as error:
        if watched.error is None:
            raise
        raise watched.error from error


class _Watched:
    """A file that remembers the first error of a write."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._file.flush()


def is_tensor(array: object) -> bool:
    """Whether `array` is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def bits_of(tensor: Any, name: str) -> tuple[Any, str, tuple[int, ...]]:
    """The values as 1-D unsigned integers, the name of the element type, the shape."""
    torch = require()
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise InvalidType(
            f"tensor {name!r}: expected a dense tensor with values, "
            f"got layout {tensor.layout} on device {tensor.device}"
        )
    size, dtype = tensor.element_size(), str(tensor.dtype).removeprefix("torch.")
    if size not in _INTEGERS or tensor.is_quantized:
        raise InvalidType(f"tensor {name!r}: expected plain numbers, got {tensor.dtype}")
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    integers = plain.reshape(-1).view(getattr(torch, _INTEGERS[size]))
    return integers.numpy().view(f"<u{size}"), dtype, tuple(tensor.shape)


def memory_of(tensor: Any) -> tuple[Any, ...] | None:
    """The part of `memory.memory_of` for torch tensors."""
    torch = require()
    if tensor.layout != torch.strided or tensor.is_meta or tensor.numel() == 0:
        return None
    flags = tensor.is_conj(), tensor.is_neg()
    where = str(tensor.device), tensor.data_ptr()
    return (*where, str(tensor.dtype), tuple(tensor.shape), tensor.stride(), *flags)


def tensor_of(bits: Any, dtype: DType, shape: tuple[int, ...]) -> Any:
    """A tensor that shares the memory of `bits`."""
    torch = require()
    wanted = getattr(torch, dtype.numpy_name, None)
    if wanted is None:
        raise InvalidType(
            f"expected an element type that torch {torch.__version__} knows, got {dtype.name}"
        )
    integers = torch.from_numpy(bits.view(np.dtype(_INTEGERS[dtype.size])))
    return integers.view(wanted).reshape(shape)
