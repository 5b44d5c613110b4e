"""The axes that tests run over, each defined once, with names to select them by (`pytest -k`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

DTYPES = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
# Sizes around the 32 weights of a mask word and the 4096 of a tile, and one over several tiles.
SIZES = (0, 1, 2, 31, 32, 33, 63, 64, 65, 4095, 4096, 4097, 100_003)
SHAPES = ((), (0,), (7,), (5, 13), (0, 4), (3, 0, 2), (2, 3, 11), (4, 3, 3, 3), (2, 3, 2, 5, 3))
# A thread is worth 131072 weights to the library: LARGE gives work to every count here.
THREADS = (1, 2, 3, 7)
LARGE = 1_000_003

Array = NDArray[Any]
Distribution = Callable[[np.random.Generator, int, float], NDArray[np.float64]]


def _signs(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.choice([-1.0, 1.0], n)


def normal(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    return rng.normal(0, 50 * delta, n)


def ties(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    return rng.integers(-3, 4, n) * 7.5 * delta


def on_grid(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    """Values of f32(d) * f32(k): exactly on the limit of a level."""
    steps = rng.integers(0, 60, n).astype(np.float32)
    return _signs(rng, n) * (np.float32(delta) * steps)


def beside_grid(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    """Grid values and their float32 neighbours on both sides."""
    grid = np.abs(on_grid(rng, n, delta)).astype(np.float32)
    toward = rng.choice([-np.inf, 0.0, np.inf], n).astype(np.float32)
    beside = np.where(toward == 0, grid, np.nextafter(grid, toward))
    return _signs(rng, n) * beside


def denormal(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    """Denormals of float32 (in bfloat16 and float16 many become 0), among a few larger values."""
    small = rng.integers(0, 2**20, n) * 2.0**-149
    return _signs(rng, n) * np.where(rng.random(n) < 0.9, small, 3 * delta)


def special(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    """Zeros of both signs, NaN and Inf among ordinary values."""
    strange = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf], n)
    return np.where(rng.random(n) < 0.3, strange, normal(rng, n, delta))


def constant(rng: np.random.Generator, n: int, delta: float) -> NDArray[np.float64]:
    return np.full(n, 20 * delta)


DISTRIBUTIONS: dict[str, Distribution] = {
    made.__name__: made
    for made in (normal, ties, on_grid, beside_grid, denormal, special, constant)
}


def weights(
    distribution: str, dtype: str, shape: int | tuple[int, ...], delta: float = 0.01, seed: int = 0
) -> Array:
    """An array of a distribution. Float64 values that float32 lacks only come from `normal`."""
    n = int(np.prod(shape, dtype=np.int64))
    values = DISTRIBUTIONS[distribution](np.random.default_rng(seed), n, delta)
    return values.astype(DTYPES[dtype]).reshape(shape)


def bits(array: Array) -> NDArray[np.unsignedinteger[Any]]:
    """The array's bytes as unsigned integers: equal where NaN, -0 and all else are the same."""
    unsigned = np.dtype(f"u{array.dtype.itemsize}")
    return np.ascontiguousarray(array).reshape(array.shape).view(unsigned)
