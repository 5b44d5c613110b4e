"""Pruned tensors as compressed sparse rows, the interchange form of SciPy and torch.

The tensor is seen as a matrix: first extent by all others. Entries are the weights that a mask
keeps, or that are not exactly +0.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell._core import InvalidArgument, Mask
from prunecell.formats import with_torch
from prunecell.formats.bitmask import Packed, bitmask_of, layout, row_counts
from prunecell.formats.stored import Stored


@dataclass(frozen=True)
class _Rows:
    values: Stored
    columns: NDArray[np.int64]
    starts: NDArray[np.int64]
    shape: tuple[int, int]


def to_scipy_csr(weights: Any, mask: Mask | None = None) -> Any:
    """The weights as a `scipy.sparse.csr_array`, whose rows are the first extent.

    SciPy has no 16-bit floats: float16 and bfloat16 become float32, which holds their values.

    Args:
        weights: A numpy array or a torch tensor.
        mask: The entries; None: the weights that are not exactly +0.

    Raises:
        ModuleNotFoundError: SciPy is not installed.
        InvalidArgument: The mask has another shape.
        InvalidType: SciPy lacks the element type.
    """
    try:
        sparse: Any = import_module("scipy.sparse")
    except ImportError as error:
        raise ModuleNotFoundError(
            "to_scipy_csr needs SciPy: pip install 'prunecell[scipy]'"
        ) from error
    rows = _rows_of(weights, mask)
    values = rows.values.floats()
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return sparse.csr_array((values, rows.columns, rows.starts), shape=rows.shape)


def to_torch_csr(weights: Any, mask: Mask | None = None) -> Any:
    """The weights as a torch tensor of layout `sparse_csr`, of their own element type.

    Args:
        weights: A numpy array or a torch tensor.
        mask: The entries; None: the weights that are not exactly +0.

    Raises:
        ModuleNotFoundError: PyTorch is not installed.
        InvalidArgument: The mask has another shape.
    """
    torch = with_torch.require()
    rows = _rows_of(weights, mask)
    starts, columns = torch.from_numpy(rows.starts), torch.from_numpy(rows.columns)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        # False is given explicitly, since torch warns otherwise; the rows are valid as built.
        return torch.sparse_csr_tensor(
            starts, columns, rows.values.torch(), rows.shape, check_invariants=False
        )


def _rows_of(weights: Any, mask: Mask | None) -> _Rows:
    tensor = Stored.of(weights, "weights")
    if mask is not None and mask.shape != tensor.shape:
        raise InvalidArgument(
            f"mask: expected the shape of the weights {tensor.shape}, got {mask.shape}"
        )
    bitmask = bitmask_of(tensor) if mask is None else mask.saved()
    count, columns, _ = layout(tensor.shape)
    bits = np.unpackbits(bitmask, axis=1, count=columns, bitorder="little")
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(row_counts(bitmask), out=starts[1:])
    return _Rows(Packed.of(tensor, bitmask).values, np.nonzero(bits)[1], starts, (count, columns))
