"""Tensors that near caches do not hold: the CPU reads them a page here and a page there."""

from __future__ import annotations

import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from prunecell import Mask

# No whole number of pages, nor of stretches read by turns, nor the same for each thread.
SIZE = 2**23 + 3 * 1024 + 37
PIECES = [SIZE - 5_000_011, 0, 5_000_011]  # the same in one call of several tensors

pytestmark = pytest.mark.parametrize("threads", [1, 2, 5])


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return (0.05 * np.random.default_rng(7).standard_normal(SIZE)).astype(np.float32)


@pytest.mark.parametrize(("threshold", "delta"), [(0.9, 1e-3), (0.5, 1e-6)])
def test_masks_are_those_of_the_definition(
    weights: np.ndarray, threshold: float, delta: float, threads: int
) -> None:
    expected = oracle.iter_nonstruct(weights, threshold, delta).kept
    given = weights.copy()
    mask = prunecell.rebuild_and_apply(given, threshold=threshold, delta=delta, threads=threads)
    assert np.array_equal(mask.to_array(), expected)
    assert np.array_equal(bits(given), bits(oracle.applied(weights, expected)))
    alone = prunecell.build_mask(weights, threshold=threshold, delta=delta, threads=threads)
    assert np.array_equal(alone.to_array(), expected)


@pytest.mark.parametrize(("beyond", "largest_pruned"), [(-100, 0.5), (100, 0.75)])
def test_two_crowded_levels_that_no_sample_tells_apart(
    beyond: int, largest_pruned: float, threads: int
) -> None:
    """Each run of weights has some of both levels: more candidates than fit into memory."""
    weights = (0.25 * np.random.default_rng(9).integers(1, 5, 2**24 + 37)).astype(np.float32)
    threshold = (np.count_nonzero(weights <= 0.5) + beyond) / weights.size
    mask = prunecell.build_mask(weights, threshold=threshold, delta=0.25, threads=threads)
    assert np.array_equal(mask.to_array(), weights > largest_pruned)


def test_tensors_of_one_call_are_cut_where_they_end(weights: np.ndarray, threads: int) -> None:
    tensors = np.split(weights.copy(), np.cumsum(PIECES)[:-1])
    expected = [oracle.iter_nonstruct(one, 0.7, 1e-4).kept for one in tensors]
    masks = prunecell.rebuild_and_apply(tensors, threshold=0.7, delta=1e-4, threads=threads)
    for mask, kept in zip(masks, expected, strict=True):
        assert np.array_equal(mask.to_array(), kept)
    assert np.array_equal(bits(np.concatenate(tensors)), bits(weights) * np.concatenate(expected))


def test_packing_counting_and_applying_cover_every_weight(
    weights: np.ndarray, threads: int
) -> None:
    kept = np.random.default_rng(8).random(SIZE) < 0.3
    mask = Mask.from_array(kept)
    values = prunecell.pack_weights(weights, mask, threads=threads)
    assert np.array_equal(bits(values), bits(weights[kept]))
    dense = prunecell.unpack_weights(values, mask, threads=threads)
    assert np.array_equal(bits(dense), bits(oracle.applied(weights, kept)))
    out = prunecell.apply_mask(weights, mask, out=np.ones_like(weights), threads=threads)
    assert np.array_equal(bits(out), bits(dense))
    assert prunecell.count_zeros(dense, threads=threads) == int((dense == 0).sum())
