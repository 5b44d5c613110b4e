"""Packing: the kept weights one after the other, and back."""

from __future__ import annotations

import axes
import numpy as np
import prunecell
import pytest
from axes import bits
from prunecell import Mask

pytestmark = pytest.mark.usefixtures("device")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("size", axes.SIZES)
def test_packing_takes_the_kept_weights_in_order_and_unpacking_gives_them_back(
    size: int, dtype: str, share: float
) -> None:
    weights = axes.weights("special", dtype, size)
    kept = np.random.default_rng(size).random(size) < share
    mask = Mask.from_array(kept)
    values = prunecell.pack_weights(weights, mask)
    assert np.array_equal(bits(values), bits(weights)[kept])
    dense = prunecell.unpack_weights(values, mask)
    assert np.array_equal(bits(dense), np.where(kept, bits(weights), 0))


@pytest.mark.parametrize("threads", axes.THREADS)
def test_any_number_of_threads_packs_alike(threads: int) -> None:
    weights = axes.weights("normal", "float32", axes.LARGE)
    mask = prunecell.build_mask(weights, threshold=0.5, delta=1e-3)
    kept = np.asarray(mask)
    values = prunecell.pack_weights(weights, mask, threads=threads)
    assert np.array_equal(values, weights[kept])
    out = np.full_like(weights, np.nan)
    assert prunecell.unpack_weights(values, mask, out=out, threads=threads) is out
    assert np.array_equal(out, np.where(kept, weights, np.float32(0)))


@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_shapes_come_back(shape: tuple[int, ...]) -> None:
    weights = axes.weights("normal", "float64", shape)
    mask = Mask.from_array(weights > 0)
    values = prunecell.pack_weights(weights, mask)
    assert values.shape == (mask.size - mask.zeros,)
    assert np.array_equal(
        prunecell.unpack_weights(values, mask), np.where(weights > 0, weights, 0.0)
    )


def test_a_wrong_number_of_values_is_refused_and_nothing_written() -> None:
    mask = Mask.from_array(np.array([True, False, True]))
    out = np.full(3, 7.0)
    for count in (0, 1, 3):
        with pytest.raises(prunecell.InvalidArgument, match="values: expected the 2 weights"):
            prunecell.unpack_weights(np.zeros(count), mask, out=out)
    assert np.array_equal(out, np.full(3, 7.0))


def test_another_dtype_or_shape_is_refused() -> None:
    mask = Mask.from_array(np.array([True, False, True]))
    with pytest.raises(prunecell.InvalidArgument, match="float64, got float32"):
        prunecell.unpack_weights(np.zeros(2, np.float32), mask, out=np.zeros(3))
    with pytest.raises(prunecell.InvalidArgument, match="shape"):
        prunecell.pack_weights(np.zeros((1, 3)), mask)
