"""Arrays that tests of files run over, and files as other programs write them."""

from __future__ import annotations

import json
from typing import Any

import axes
import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DTYPES = axes.DTYPES | {
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "complex64": np.dtype(np.complex64),
    "bool": np.dtype(np.bool_),
    **{
        name: np.dtype(name)
        for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    },
}
# The shapes of axes.py, and some that are worth packing.
SHAPES = (*axes.SHAPES, (70, 129), (1, 2000), (40, 8), (9, 5, 31), (16, 8, 3, 3), (8, 3, 5, 5, 7))
SPARSITIES = (0.0, 0.5, 0.97, 1.0)


def sparse(
    dtype: str, shape: tuple[int, ...], sparsity: float, seed: int = 0, *, special: bool = True
) -> Array:
    """Any bits at all (-0, NaN of any payload, denormals), and the asked share of exact +0."""
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    n = int(np.prod(shape, dtype=np.int64))
    if dtype == "bool":
        values = np.ones(n, dtype=bool)
    elif special:
        values = rng.integers(1, 256, n * kind.itemsize, dtype=np.uint8).view(kind)
    else:
        values = rng.normal(0, 10, n).astype(kind)
    if special and kind.kind in "fV" and n:
        values[: n // 8] = -np.zeros(1).astype(kind)[0]  # -0 in types that have it
    values[rng.permutation(n)[: round(sparsity * n)]] = np.zeros(1, dtype=kind)[0]
    return values.reshape(shape)


def same(a: Array, b: Array) -> bool:
    """Equal in shape, type and every bit."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def same_all(a: dict[str, Array], b: dict[str, Array]) -> bool:
    """Equal arrays in equal order."""
    return list(a) == list(b) and all(same(a[name], b[name]) for name in a)


def container(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with this header, JSON or bytes, right or wrong."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entry(dtype: str, shape: Any, start: int, stop: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def written(tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """A file with these tensors, one after the other; int64, uint8, float32 and float16."""
    names = {"int64": "I64", "uint8": "U8", "float32": "F32", "float16": "F16", "int32": "I32"}
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, array in tensors.items():
        stop = len(data) + array.nbytes
        header[name] = entry(names[array.dtype.name], list(array.shape), len(data), stop)
        data += array.tobytes()
    return container(header, data)


PEAK_MB = """
def peak():  # of this program alone; the figure of getrusage outlives exec
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) >> 10
"""
