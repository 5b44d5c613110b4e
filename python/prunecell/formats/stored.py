"""`Stored`: one tensor between a file and the arrays of a framework.

The values are unsigned integers of the element's width, so that no step between memory and file can
change a bit: -0, the payload of a NaN and types that numpy lacks all pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell._core import InvalidType
from prunecell.formats import with_torch
from prunecell.formats.dtypes import BY_NUMPY_NAME, DType, of_numpy, widened

Bits = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Stored:
    """A tensor: element type, shape, and `bits`, 1-D and contiguous, in row-major order."""

    dtype: DType
    shape: tuple[int, ...]
    bits: Bits

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return int(self.bits.nbytes)

    def numpy(self) -> NDArray[Any]:
        """The tensor as a numpy array that shares the memory."""
        return self.bits.view(self.dtype.numpy).reshape(self.shape)

    def floats(self) -> NDArray[Any]:
        """The tensor as numbers of numpy's own: `numpy()`, or a float32 copy of bfloat16."""
        if self.dtype.numpy_name == "bfloat16":
            return widened(self.bits).reshape(self.shape)
        return self.numpy()

    def torch(self) -> Any:
        """The tensor as a torch tensor that shares the memory."""
        return with_torch.tensor_of(self.bits, self.dtype, self.shape)

    @classmethod
    def of(cls, array: object, name: str) -> Stored:
        """The tensor of a numpy array or scalar, or of a torch tensor.

        Raises:
            InvalidType: `array` is anything else, or of an element type that the format lacks.
        """
        if with_torch.is_tensor(array):
            bits, numpy_name, shape = with_torch.bits_of(array, name)
            return cls(_known(BY_NUMPY_NAME.get(numpy_name), numpy_name, name), shape, bits)
        if not isinstance(array, (np.ndarray, np.generic)):
            raise InvalidType(
                f"tensor {name!r}: expected a numpy array or a torch tensor, "
                f"got {type(array).__name__}"
            )
        whole = np.asarray(array)
        dtype = _known(of_numpy(whole.dtype), str(whole.dtype), name)
        if whole.dtype.byteorder == ">":
            whole = whole.astype(whole.dtype.newbyteorder("="))
        if not whole.flags.c_contiguous:
            whole = whole.copy(order="C")
        return cls(dtype, whole.shape, whole.reshape(-1).view(dtype.bits))


def _known(dtype: DType | None, got: str, name: str) -> DType:
    if dtype is None:
        known = ", ".join(BY_NUMPY_NAME)
        raise InvalidType(f"tensor {name!r}: expected an element type of {known}, got {got}")
    return dtype
