"""Applying a mask: a select with +0, nothing behind the end touched."""

from __future__ import annotations

from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from guarded import Guarded
from prunecell import Mask, _core

pytestmark = pytest.mark.usefixtures("device")


def random_kept(size: Any, seed: int = 2) -> Any:
    return np.random.default_rng(seed).random(size) < 0.5


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("size", axes.SIZES)
def test_in_place_and_into_a_buffer_every_bit_is_right(size: int, dtype: str) -> None:
    weights = axes.weights("special", dtype, size)
    kept = random_kept(size)
    expected = bits(oracle.applied(weights, kept))
    for offset in (0, 1, 3):
        mask = Mask.from_array(kept)
        source, into = Guarded(weights, offset), Guarded(np.full_like(weights, 7), 5 - offset)
        assert prunecell.apply_mask(source.array, mask, out=into.array) is into.array
        assert np.array_equal(bits(into.array), expected)
        assert np.array_equal(bits(source.array), bits(weights))
        assert prunecell.apply_mask(source.array, mask) is source.array
        assert np.array_equal(bits(source.array), expected)
        assert source.intact()
        assert into.intact()
        assert np.array_equal(mask.to_array(), kept)


@pytest.mark.parametrize("dtype", axes.DTYPES)
def test_pruned_nan_inf_and_minus_zero_become_plus_zero(dtype: str) -> None:
    weights = np.array([np.nan, -np.inf, -0.0, -3.0], dtype=axes.DTYPES[dtype])
    pruned = prunecell.apply_mask(weights, Mask.from_array(np.zeros(4, dtype=bool)))
    assert not bits(pruned).any()


@pytest.mark.parametrize("dtype", axes.DTYPES)
def test_kept_weights_keep_their_bits(dtype: str) -> None:
    unsigned = np.random.default_rng(0).integers(0, 256, 1000 * 8, dtype=np.uint8)
    weights = unsigned.view(axes.DTYPES[dtype])  # among them signalling NaN
    before = bits(weights).copy()
    prunecell.apply_mask(weights, Mask(weights.shape))
    assert np.array_equal(bits(weights), before)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("size", [1, 33, 2049, 100_003])
def test_fused_equals_two_steps(size: int, dtype: str) -> None:
    weights = axes.weights("ties", dtype, size)
    for filler in ("IterNonStruct", "Random", "None"):
        rule = {"filler": filler, "threshold": 0.4, "delta": 0.01, "seed": 3}
        two = weights.copy()
        mask = prunecell.build_mask(two, **rule)
        prunecell.apply_mask(two, mask)
        one = Guarded(weights, 1)
        assert prunecell.rebuild_and_apply(one.array, **rule) == mask
        assert np.array_equal(bits(one.array), bits(two))
        assert one.intact()


def test_fused_reads_the_mask_in_force_and_overwrites_it() -> None:
    weights = axes.weights("normal", "float32", 5000)
    mask = prunecell.build_mask(weights, threshold=0.3, delta=0.01)
    before = mask.to_array()
    again = prunecell.rebuild_and_apply(weights, mask, threshold=0.7, delta=0.01)
    assert again is mask
    original = axes.weights("normal", "float32", 5000)
    assert np.array_equal(mask, oracle.iter_nonstruct(original, 0.7, 0.01, before).kept)


def test_out_may_be_the_weights_themselves() -> None:
    weights = axes.weights("special", "float32", 3000)
    kept = random_kept(3000)
    expected = oracle.applied(weights, kept)
    prunecell.apply_mask(weights, Mask.from_array(kept), out=weights)
    assert np.array_equal(bits(weights), bits(expected))


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("size", [5, 64, 5000])
def test_pruned_weights_may_come_from_another_array(size: int, dtype: str) -> None:
    weights = axes.weights("special", dtype, size)
    other = axes.weights("special", dtype, size, seed=1)
    kept = random_kept(size)
    expected = bits(weights).copy()
    expected[~kept] = bits(other)[~kept]
    into = Guarded(np.zeros_like(weights), 1)
    _core.apply_masks([weights], [Mask.from_array(kept)], [into.array], [other])
    assert np.array_equal(bits(into.array), expected)
    assert into.intact()
    _core.apply_masks([weights], [Mask.from_array(kept)], [None], [other])
    assert np.array_equal(bits(weights), expected)


def test_applying_says_whether_a_weight_was_not_masked_yet() -> None:
    weights, mask = np.ones(4000, dtype=np.float32), Mask.from_array(random_kept(4000))
    other = np.zeros(4000, dtype=np.float32)
    assert _core.apply_masks([weights, other], [mask, mask], wait=True) == [True, False]
    assert _core.apply_masks([weights, other], [mask, mask], wait=True) == [False, False]
    weights[int(np.flatnonzero(~mask.to_array())[-1])] = -0.0
    assert _core.apply_masks([other, weights], [mask, mask], wait=True) == [False, True]
    assert not np.signbit(weights).any()


def test_read_only_weights_can_be_read_but_not_pruned_in_place() -> None:
    weights = axes.weights("normal", "float32", (5, 8))
    weights.flags.writeable = False
    mask = prunecell.build_mask(weights, threshold=0.5, delta=0.01)
    out = np.empty_like(weights)
    prunecell.apply_mask(weights, mask, out=out)
    assert np.array_equal(out, oracle.applied(weights, mask.to_array()))
    for call in (prunecell.apply_mask, prunecell.rebuild_and_apply):
        with pytest.raises(prunecell.InvalidArgument, match=r"weights\[0\]: expected writable"):
            call(weights, mask)
    with pytest.raises(prunecell.InvalidArgument, match=r"out\[0\]: expected writable"):
        prunecell.apply_mask(out, mask, out=weights)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.empty(9, np.float32), r"out\[0\]: expected the shape .* \(10,\), got \(9,\)"),
        (np.empty((2, 5), np.float32), r"out\[0\]: expected the shape .* got \(2, 5\)"),
        (np.empty(10, np.float64), "tensor 0: out: .* got 10 elements of float64"),
    ],
)
def test_a_buffer_must_be_like_the_weights(out: axes.Array, words: str) -> None:
    with pytest.raises(prunecell.InvalidArgument, match=words):
        prunecell.apply_mask(np.ones(10, np.float32), Mask((10,)), out=out)


def test_a_mask_must_have_the_shape_of_the_weights() -> None:
    words = r"masks\[0\]: expected the shape of the weights \(2, 5\), got \(10,\)"
    with pytest.raises(prunecell.InvalidArgument, match=words):
        prunecell.apply_mask(np.ones((2, 5)), Mask((10,)))
    with pytest.raises(prunecell.InvalidType, match="expected a Mask, got None"):
        prunecell.apply_mask(np.ones(3), None)


def test_lists_must_be_of_one_length() -> None:
    two = [np.ones(3), np.ones(3)]
    for given in ({"mask": [Mask((3,))]}, {"mask": [Mask((3,))] * 2, "out": [np.ones(3)]}):
        with pytest.raises(prunecell.InvalidArgument, match="expected 2 entries, one per array"):
            prunecell.apply_mask(two, **given)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("size", axes.SIZES)
def test_zeros_of_either_sign_are_counted(size: int, dtype: str) -> None:
    weights = axes.weights("special", dtype, size)
    expected = int((weights == 0).sum())
    assert prunecell.count_zeros(weights) == expected
    assert prunecell.count_zeros([weights, weights[:0]]) == [expected, 0]


def test_zeros_of_a_mask_are_its_pruned_weights() -> None:
    kept = random_kept((9, 9))
    assert prunecell.count_zeros(Mask.from_array(kept)) == int((~kept).sum())


def test_zeros_of_masks_and_arrays_are_counted_in_one_list() -> None:
    mask = Mask.from_array(np.array([True, False, False]))
    assert prunecell.count_zeros([mask, np.array([0.0, 1.0]), mask]) == [2, 1, 2]
