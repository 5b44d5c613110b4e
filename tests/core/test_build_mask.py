"""IterNonStruct against the oracle."""

from __future__ import annotations

import re
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prunecell import Mask, _core

pytestmark = pytest.mark.usefixtures("device")

THRESHOLDS = (0.0, 1e-7, 0.05, 0.5, 0.9, 1.0)
SAMPLED = 2**18 + 37  # from 2**18 weights on, a sample predicts the level

Array = axes.Array


def check(
    weights: Array, threshold: float, delta: float, old: Array | None = None, threads: int = 0
) -> None:
    """Mask, figures and pruned weights, or the error with its counts, are those of the oracle."""
    given_old = None if old is None else Mask.from_array(old)
    masks, work = [Mask(weights.shape)], weights.copy()
    rule: dict[str, Any] = {"filler": "IterNonStruct", "threshold": threshold, "delta": delta}
    rule |= {"seed": 0, "apply": True, "threads": threads}
    try:
        expected = oracle.iter_nonstruct(weights, threshold, delta, old)
    except oracle.UnreachableError as error:
        with pytest.raises(prunecell.UnreachableThreshold) as raised:
            _core.build_masks([work], masks, [given_old], **rule)
        counts = [
            int(n) for n in re.findall(r"\b\d+(?= (?:of|lie|NaN|Inf|finite))", str(raised.value))
        ]
        assert counts == [error.need, error.reachable, error.nan, error.inf, error.finite]
        assert np.array_equal(bits(work), bits(weights))
        assert masks[0].zeros == 0
        return
    result = _core.build_masks([work], masks, [given_old], **rule)[1][0]
    assert np.array_equal(masks[0].to_array(), expected.kept)
    assert (result.need, result.level, result.zeros) == (
        expected.need,
        expected.level,
        expected.zeros,
    )
    if weights.size:
        assert result.limit == float(oracle.limit(delta, expected.level))
    assert np.array_equal(bits(work), bits(oracle.applied(weights, expected.kept)))
    unpacked = np.unpackbits(masks[0].packed, bitorder="little")
    assert np.array_equal(unpacked[: weights.size], expected.kept.reshape(-1))
    assert not unpacked[weights.size :].any()


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("distribution", axes.DISTRIBUTIONS)
@pytest.mark.parametrize("size", axes.SIZES)
def test_masks_are_those_of_the_definition(size: int, distribution: str, dtype: str) -> None:
    weights = axes.weights(distribution, dtype, size, delta=0.01)
    for threshold in THRESHOLDS:
        check(weights, threshold, 0.01)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_any_shape_is_legal(shape: tuple[int, ...], dtype: str) -> None:
    weights = axes.weights("normal", dtype, shape)
    mask = prunecell.build_mask(weights, threshold=0.4, delta=0.01)
    assert mask.shape == shape
    assert np.array_equal(mask.to_array(), oracle.iter_nonstruct(weights, 0.4, 0.01).kept)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("delta", [1e-10, 1e-38, 7e-45, 2e-8, 1e28, 3e38])
def test_the_size_of_delta_does_not_matter(delta: float, dtype: str) -> None:
    for scale in (1.0, 1e-5, 2.0**-140):
        values = axes.weights("normal", "float64", 1001, delta=0.01) * scale
        for threshold in (0.0, 0.3, 1.0):
            check(values.astype(axes.DTYPES[dtype]), threshold, delta)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_levels_in_the_millions_are_exact(dtype: str) -> None:
    values = np.linspace(0.25, 1.0, 1025).astype(dtype)
    for delta in (1e-7, 2e-8, 1.5e-8, 3e-9):
        check(values, 0.5, delta)
        check(values, 1.0, delta)


def test_a_level_beyond_2_to_the_24_is_the_first_whose_rounded_product_reaches() -> None:
    delta = 2.0**-30
    weights = np.array([np.float32(delta) * np.float32(2**24 + 2)], dtype=np.float32)
    search = prunecell.LevelSearch(1, 1.0, delta)
    while not search.done:
        search.advance(search.count(weights))
    assert search.level == 2**24 + 2  # f32(2**24 + 1) falls back to 2**24
    check(weights, 1.0, delta)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize(
    "data", ["periodic", "sorted", "constant", "two-valued", "one-outlier", "drifting", "hidden"]
)
def test_a_prediction_that_misses_changes_nothing(data: str, dtype: str) -> None:
    index = np.arange(SAMPLED)
    values = {
        "periodic": (index % 16) / 16.0,
        "sorted": index / SAMPLED,
        "constant": np.full(SAMPLED, 0.3),
        "two-valued": np.where(index % 16 == 0, 0.75, 0.001),
        "one-outlier": np.where(index == 1234, 1000.0, 0.5),
        "drifting": np.where(index < SAMPLED // 2, 1e-3, 1.0) * (1 + index % 7),
        # Weights are small where the sample looks, and nowhere else.
        "hidden": np.where(index % 16 == index // 16 * 37 % 16, 0.001, 0.75),
    }[data]
    weights = values.astype(axes.DTYPES[dtype])
    for threshold in (1e-6, 1 / 16, 0.5, 15 / 16, 1.0):
        check(weights, threshold, 0.01)
    check(weights, 0.5, 1e-7)
    check(weights, 0.75, 0.01, old=index % 3 > 0)


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("distribution", axes.DISTRIBUTIONS)
def test_what_the_old_mask_prunes_counts_as_zero(distribution: str, dtype: str) -> None:
    weights = axes.weights(distribution, dtype, 5000)
    rng = np.random.default_rng(3)
    for share in (0.0, 0.3, 1.0):
        old = rng.random(5000) >= share
        for threshold in THRESHOLDS:
            check(weights, threshold, 0.01, old=old)


@pytest.mark.parametrize("into", ["a new mask", "the old mask", "another mask"])
def test_a_rise_only_adds_zeros_whatever_the_weights_became(into: str) -> None:
    weights = axes.weights("normal", "float32", (40, 77))
    old = prunecell.build_mask(weights, threshold=0.3, delta=0.01)
    before = old.to_array()
    weights = axes.weights("normal", "float32", (40, 77), seed=1)
    out = {"a new mask": None, "the old mask": old, "another mask": Mask((40, 77))}[into]
    mask = prunecell.build_mask(weights, threshold=0.6, delta=0.01, old=old, out=out)
    assert out is None or mask is out
    assert not (mask.to_array() & ~before).any()
    expected = oracle.iter_nonstruct(weights, 0.6, 0.01, before)
    assert np.array_equal(mask.to_array(), expected.kept)


def test_threshold_zero_prunes_the_zeros_of_either_sign_and_nothing_else() -> None:
    tiny = np.float32(1e-45)
    weights = np.array([0.0, -0.0, tiny, -tiny, np.nan, np.inf, 1.0], dtype=np.float32)
    mask = prunecell.build_mask(weights, threshold=0.0)
    assert mask.to_array().tolist() == [False, False, True, True, True, True, True]


def test_a_threshold_however_small_takes_one_full_step() -> None:
    weights = np.array([0.0, 0.0, 0.005, 0.01, 0.02], dtype=np.float32)
    mask = prunecell.build_mask(weights, threshold=1e-30, delta=0.01)
    assert mask.to_array().tolist() == [False, False, False, False, True]


def test_ties_fall_together() -> None:
    weights = np.full(100, 0.5, dtype=np.float32)
    assert prunecell.build_mask(weights, threshold=0.01).zeros == 100


def test_limits_are_never_rounded_to_the_type_of_the_weights() -> None:
    # f32(0.01) * 10 lies between two neighbours of float16 and of bfloat16.
    for dtype in ("float16", "bfloat16"):
        near = np.array([0.1], dtype=axes.DTYPES[dtype])
        pair = np.concatenate([near, np.nextafter(near, near.dtype.type(1))])
        for value in pair:
            check(np.array([value]), 1.0, 0.01)
    grid = np.float64(np.float32(0.01) * np.float32(10))
    for value in (grid, np.nextafter(grid, 1), np.nextafter(grid, 0)):
        check(np.array([value]), 1.0, 0.01)


def test_infinity_is_pruned_once_the_limit_overflows() -> None:
    weights = np.array([np.inf, 1.0, -np.inf], dtype=np.float32)
    check(weights, 1.0, 1e36)
    with pytest.raises(prunecell.UnreachableThreshold, match="2 Inf"):
        prunecell.build_mask(weights, threshold=1.0, delta=0.001)


def test_one_unreachable_array_of_a_list_leaves_all_as_they_were() -> None:
    good = axes.weights("normal", "float32", 1000)
    bad = np.array([0.1, np.nan], dtype=np.float32)
    given, masks = [good.copy(), bad.copy()], [Mask((1000,)), Mask((2,))]
    with pytest.raises(prunecell.UnreachableThreshold, match=r"^tensor 1: .* 1 NaN"):
        prunecell.rebuild_and_apply(given, masks, threshold=1.0)
    assert np.array_equal(bits(given[0]), bits(good))
    assert [mask.zeros for mask in masks] == [0, 0]


def test_a_list_is_pruned_array_by_array() -> None:
    arrays = [axes.weights("normal", dtype, (17, 9), seed=3) for dtype in axes.DTYPES]
    arrays.append(np.zeros((0, 4)))
    masks = prunecell.build_mask(arrays, threshold=0.35, delta=0.01)
    for array, mask in zip(arrays, masks, strict=True):
        assert np.array_equal(mask.to_array(), oracle.iter_nonstruct(array, 0.35, 0.01).kept)
    assert prunecell.build_mask([]) == []


@pytest.mark.parametrize("size", [1, 5, 20, 1000, 2**24 - 1, 2**24, 2**24 + 1, 10**9, 2**40])
def test_need_is_the_smallest_count_that_reaches_the_share(size: int) -> None:
    for share in (0.0, 1e-45, 1e-9, 0.05, 0.1, 1 / 3, 0.5, 0.9, float(np.float32(1) - 2**-24), 1.0):
        assert _core.need(size, share) == oracle.need(size, share)


def test_need_of_the_largest_sizes_comes_to_an_end() -> None:
    assert _core.need(2**63 - 1, 1.0) > 2**63 - 2**11
    assert abs(_core.need(2**63 - 1, 0.5) - 2**62) < 2**11


@given(n=st.integers(0, 2**25), share=st.floats(0, 1, width=32))
@example(n=20, share=float(np.float32(0.05)))
def test_need_of_any_size_and_share(n: int, share: float) -> None:
    assert _core.need(n, share) == oracle.need(n, share)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, float, float, Array | None]:
    """Weights of any bits, or on and beside the grid, with a threshold, a delta and an old mask."""
    dtype = axes.DTYPES[draw(st.sampled_from(sorted(axes.DTYPES)))]
    usual = st.sampled_from([0.001, 0.01, 2.0**-10, 1e-10, 7e-45, 1e-38, 1e28])
    any_delta = st.floats(2.0**-149, 2.0**127, width=32)
    delta = draw(usual | any_delta)
    n = draw(st.integers(0, 130))
    pattern = st.integers(0, 2 ** (8 * dtype.itemsize) - 1)
    raw = draw(st.lists(pattern, min_size=n, max_size=n))
    weights = np.array(raw, dtype=f"u{dtype.itemsize}").view(dtype)
    for at in draw(st.lists(st.integers(0, n - 1), max_size=n)) if n else []:
        grid = oracle.limit(delta, draw(st.integers(0, 100)))
        toward = draw(st.sampled_from([np.float32(np.inf), np.float32(-np.inf), grid]))
        with np.errstate(over="ignore", under="ignore"):
            weights[at] = np.nextafter(grid, toward).astype(dtype)
    threshold = draw(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1, width=32))
    old = draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
    return weights, threshold, delta, None if old is None else np.array(old, dtype=bool)


@settings(max_examples=400)
@given(problems())
@example((np.array([1e300, -4e38]), 0.5, 0.001, None))
def test_any_weights_any_threshold_any_delta(
    problem: tuple[Array, float, float, Array | None],
) -> None:
    check(*problem)
