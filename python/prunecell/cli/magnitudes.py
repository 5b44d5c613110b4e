"""Magnitudes of weights: counts of |w| by power of two, exact and in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell.formats.dtypes import widened

_CHUNK = 1 << 20  # elements; temporaries have no more
_SUBNORMAL = {16: -15, 32: -127, 64: -1023}
_MANTISSA = {16: 10, 32: 23, 64: 52}


@dataclass
class Magnitudes:
    """Counts of weights.

    Attributes:
        zeros: Weights that are +0 or -0.
        nan: Weights that are NaN.
        infinite: Weights that are Inf or -Inf.
        octaves: Exponent e -> weights with 2**e <= |w| < 2**(e+1). Subnormal weights count in the
            octave below the normal weights.
    """

    zeros: int = 0
    nan: int = 0
    infinite: int = 0
    octaves: dict[int, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of all weights."""
        return self.zeros + self.nan + self.infinite + sum(self.octaves.values())

    def add(self, other: Magnitudes) -> None:
        """Adds the counts of other weights."""
        self.zeros += other.zeros
        self.nan += other.nan
        self.infinite += other.infinite
        for octave, count in other.octaves.items():
            self.octaves[octave] = self.octaves.get(octave, 0) + count


def count_magnitudes(bits: NDArray[Any], dtype: str) -> Magnitudes:
    """Counts the weights of one tensor.

    Args:
        bits: The elements as unsigned integers, 1-D.
        dtype: The element type, "float16", "bfloat16", "float32" or "float64".
    """
    width = 32 if dtype == "bfloat16" else bits.dtype.itemsize * 8
    mantissa = _MANTISSA[width]
    special = (1 << (width - 1 - mantissa)) - 1  # the exponent field of NaN and Inf
    counts = np.zeros(special + 1, dtype=np.int64)
    zeros = infinite = 0
    for start in range(0, bits.size, _CHUNK):
        part = bits[start : start + _CHUNK]
        if dtype == "bfloat16":
            part = widened(part).view(np.uint32)
        magnitude = part & part.dtype.type((1 << (width - 1)) - 1)
        field_of = (magnitude >> part.dtype.type(mantissa)).astype(np.int64)
        counts += np.bincount(field_of, minlength=special + 1)
        zeros += int(np.count_nonzero(magnitude == 0))
        infinite += int(np.count_nonzero(magnitude == special << mantissa))
    lowest = _SUBNORMAL[width]
    counts[0] -= zeros
    octaves = {lowest + int(i): int(counts[i]) for i in np.flatnonzero(counts[:special])}
    return Magnitudes(zeros, int(counts[special]) - infinite, infinite, octaves)
