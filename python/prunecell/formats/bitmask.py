"""The sparse-bitmask layout: a tensor as its kept values and one bit per element.

The tensor is seen as a matrix: rows = its first extent (1 for a number), columns = the rest. Row r
has `ceil(columns / 8)` bytes of bits, least significant first, padded with zeros; `row_offsets[r]`
counts the kept values of the rows before it. Kept is what is not exactly +0: -0 and NaN survive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell._core import Mask
from prunecell.formats.dtypes import BY_NAME
from prunecell.formats.stored import Stored
from prunecell.ops import pack_weights, unpack_weights

PARTS = ("shape", "compressed", "bitmask", "row_offsets")
Bytes = NDArray[np.uint8]

_ONES = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
# Floats as which the native operations move any element of the same width.
_FLOATS: dict[int, np.dtype[Any]] = {
    2: np.dtype(np.float16),
    4: np.dtype(np.float32),
    8: np.dtype(np.float64),
}


layout = Mask.saved_layout
"""Rows, columns, and bytes per row of the bitmask: that of `Mask.saved`."""


def bitmask_of(tensor: Stored) -> Bytes:
    """One bit for each element that is not exactly +0."""
    rows, columns, _ = layout(tensor.shape)
    return np.packbits((tensor.bits != 0).reshape(rows, columns), axis=1, bitorder="little")


def row_counts(bitmask: Bytes) -> NDArray[np.int64]:
    """Kept elements of each row."""
    counts: NDArray[np.int64] = _ONES[bitmask].sum(axis=1, dtype=np.int64)
    return counts


def row_offsets_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Kept elements of the rows before each."""
    return np.cumsum(counts, dtype=np.int64) - counts


def packed_size(tensor: Stored, kept: int) -> int:
    """Bytes of the four parts of a tensor with `kept` kept values."""
    rows, _, row_bytes = layout(tensor.shape)
    return kept * tensor.dtype.size + rows * (row_bytes + 8) + len(tensor.shape) * 8


@dataclass(frozen=True)
class Packed:
    """A packed tensor, whose parts fit each other: they are checked before one is made."""

    shape: tuple[int, ...]
    values: Stored
    bitmask: Bytes

    @classmethod
    def of(cls, tensor: Stored, bitmask: Bytes) -> Packed:
        """Packs a tensor; elements that `bitmask` leaves out are +0."""
        return cls(tensor.shape, _values(tensor, bitmask), bitmask)

    def parts(self) -> dict[str, Stored]:
        """The four parts by the suffix of their names, in the order of the file."""
        return {
            "shape": _integers(np.array(self.shape, dtype=np.int64)),
            "compressed": self.values,
            "bitmask": self.mask(),
            "row_offsets": _integers(row_offsets_of(row_counts(self.bitmask))),
        }

    def mask(self) -> Stored:
        """The bitmask as a tensor by itself."""
        return Stored(BY_NAME["U8"], self.bitmask.shape, self.bitmask.reshape(-1))

    def unpack(self) -> Stored:
        """The dense tensor, +0 where the bitmask has none."""
        bits: NDArray[Any] = self.values.bits
        if self.values.dtype.size in _FLOATS:
            floats = bits.view(_FLOATS[self.values.dtype.size])
            dense = unpack_weights(floats, Mask.from_saved(self.bitmask, self.shape))
            whole: NDArray[Any] = dense.reshape(-1).view(bits.dtype)
        else:
            whole = np.zeros(math.prod(self.shape), dtype=bits.dtype)
            whole[_kept(self.bitmask, self.shape)] = bits
        return Stored(self.values.dtype, self.shape, whole)


def _values(tensor: Stored, bitmask: Bytes) -> Stored:
    if tensor.dtype.size in _FLOATS:
        floats = tensor.bits.view(_FLOATS[tensor.dtype.size]).reshape(tensor.shape)
        values = pack_weights(floats, Mask.from_saved(bitmask, tensor.shape))
        bits: NDArray[Any] = values.view(tensor.dtype.bits)
    else:
        bits = tensor.bits[_kept(bitmask, tensor.shape)]
    return Stored(tensor.dtype, bits.shape, bits)


def _kept(bitmask: Bytes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    _, columns, _ = layout(shape)
    bits = np.unpackbits(bitmask, axis=1, count=columns, bitorder="little")
    return bits.reshape(-1).view(np.bool_)


def _integers(values: NDArray[Any]) -> Stored:
    return Stored(BY_NAME["I64"], values.shape, values.view("<u8"))


def fault(
    shape: tuple[int, ...], kept: int, bitmask: Bytes, row_offsets: NDArray[Any]
) -> tuple[str, int] | None:
    """What parts of the right shapes should hold and what they hold; None where they fit."""
    _, columns, _ = layout(shape)
    padding = bitmask[:, -1] >> (columns % 8) if columns % 8 else bitmask[:0]
    if padding.any():
        return f"no bits set behind the {columns} columns", int(_ONES[padding].sum())
    counts = row_counts(bitmask)
    ones = int(counts.sum())
    if ones != kept:
        return f"{ones} compressed values, as many as the bitmask has ones", kept
    offsets = row_offsets_of(counts)
    wrong = np.flatnonzero(offsets != row_offsets)
    if wrong.size:
        row = int(wrong[0])
        return f"{int(offsets[row])} as row_offsets[{row}]", int(row_offsets[row])
    return None
