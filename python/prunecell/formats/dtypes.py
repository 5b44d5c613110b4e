"""The element types of safetensors, and their names in numpy.

bfloat16 and the 8-bit floats are numpy dtypes where ml_dtypes is installed. Without it they come as
structured arrays of one field that bears the name, e.g. `[("bfloat16", "<u2")]`: nothing can be
computed with those, but they keep their bits and their type, and can be saved again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

if sys.byteorder != "little":
    raise ImportError("prunecell.formats needs a little-endian machine")


@dataclass(frozen=True)
class DType:
    """An element type: its name in the file, its name in numpy and torch, its bytes."""

    name: str
    numpy_name: str
    size: int

    @property
    def bits(self) -> np.dtype[Any]:
        """The unsigned integers of this width: the form in which values are moved and compared."""
        return np.dtype(f"<u{self.size}")

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype, or the stand-in where numpy has none."""
        if self.numpy_name not in _FROM_ML_DTYPES:
            return np.dtype(self.numpy_name)
        found = _from_ml_dtypes(self.numpy_name)
        return np.dtype([(self.numpy_name, self.bits)]) if found is None else found


def widened(bits: NDArray[Any]) -> NDArray[np.float32]:
    """The float32 equal to each bfloat16, which is its upper half; `bits` are uint16."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _from_ml_dtypes(name: str) -> np.dtype[Any] | None:
    try:
        import ml_dtypes
    except ImportError:
        return None
    scalar = getattr(ml_dtypes, name, None)
    return None if scalar is None else np.dtype(scalar)


_FROM_ML_DTYPES = {
    "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
    "float8_e8m0fnu": ("F8_E8M0", 1),
}

_KNOWN = (
    DType("BOOL", "bool", 1),
    DType("U8", "uint8", 1),
    DType("I8", "int8", 1),
    DType("U16", "uint16", 2),
    DType("I16", "int16", 2),
    DType("U32", "uint32", 4),
    DType("I32", "int32", 4),
    DType("U64", "uint64", 8),
    DType("I64", "int64", 8),
    DType("F16", "float16", 2),
    DType("F32", "float32", 4),
    DType("F64", "float64", 8),
    DType("C64", "complex64", 8),
    *(DType(name, numpy, size) for numpy, (name, size) in _FROM_ML_DTYPES.items()),
)
BY_NAME = {one.name: one for one in _KNOWN}
BY_NUMPY_NAME = {one.numpy_name: one for one in _KNOWN}


def of_numpy(dtype: np.dtype[Any]) -> DType | None:
    """The element type of a numpy array; None where the format has none."""
    named = dtype.names is not None and len(dtype.names) == 1
    known = BY_NUMPY_NAME.get(dtype.names[0] if named and dtype.names else dtype.name)
    return known if known is not None and known.size == dtype.itemsize else None
