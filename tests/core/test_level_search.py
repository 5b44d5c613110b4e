"""The search whose counters add up: a tensor split in any way gives the level of the whole."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunecell import LevelSearch, Mask

pytestmark = pytest.mark.usefixtures("device")


def search_over(parts: list[Any], threshold: float, delta: float, olds: Any = None) -> LevelSearch:
    """Every participant holds a search of its own; only the sums of counters travel."""
    size = sum(part.size for part in parts)
    searches = [LevelSearch(size, threshold, delta) for _ in parts] or [
        LevelSearch(0, threshold, delta)
    ]
    olds = olds or [None] * len(parts)
    while not searches[0].done:
        totals = sum(s.count(p, o) for s, p, o in zip(searches, parts, olds, strict=True))
        for search in searches:
            search.advance(totals)
    assert len({(s.level, s.limit, s.rounds, s.need) for s in searches}) == 1
    return searches[0]


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("distribution", axes.DISTRIBUTIONS)
@pytest.mark.parametrize("delta", [0.01, 1e-7, 7e-45, 1e28])
def test_any_split_gives_the_level_of_the_whole(
    delta: float, distribution: str, dtype: str
) -> None:
    weights = axes.weights(distribution, dtype, 4099)
    for threshold in (0.0, 0.1, 0.6):
        try:
            expected = oracle.iter_nonstruct(weights, threshold, delta)
        except oracle.UnreachableError:
            with pytest.raises(prunecell.UnreachableThreshold):
                search_over([weights], threshold, delta)
            continue
        for parts in (1, 2, 3, 7):
            found = search_over(np.array_split(weights, parts), threshold, delta)
            assert found.level == expected.level
            assert found.need == expected.need
            assert found.limit == float(oracle.limit(delta, expected.level))
            assert found.rounds <= LevelSearch.max_rounds


@given(
    data=st.data(),
    threshold=st.floats(0, 1, width=32),
    delta=st.floats(2.0**-149, 2.0**100, width=32),
)
def test_any_cuts_any_threshold_any_delta(
    data: st.DataObject, threshold: float, delta: float
) -> None:
    raw = data.draw(st.lists(st.integers(0, 0x7F7FFFFF), max_size=200))
    weights = np.array(raw, dtype=np.uint32).view(np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, weights.size), max_size=5)))
    try:
        expected = oracle.iter_nonstruct(weights, threshold, delta).level
    except oracle.UnreachableError:
        with pytest.raises(prunecell.UnreachableThreshold):
            search_over(np.split(weights, cuts), threshold, delta)
        return
    found = search_over(np.split(weights, cuts), threshold, delta)
    assert found.level == expected
    assert found.rounds <= LevelSearch.max_rounds


def test_parts_may_differ_in_type() -> None:
    parts = [axes.weights("ties", dtype, 500, delta=0.125, seed=3) for dtype in axes.DTYPES]
    whole = np.concatenate([part.astype(np.float64) for part in parts])
    expected = oracle.iter_nonstruct(whole, 0.5, 0.125)
    assert search_over(parts, 0.5, 0.125).level == expected.level


def test_what_an_old_mask_prunes_counts_as_zero() -> None:
    weights = axes.weights("normal", "float32", 3001)
    old = np.arange(3001) % 3 > 0
    expected = oracle.iter_nonstruct(weights, 0.5, 0.01, old)
    halves = [np.ascontiguousarray(part) for part in np.array_split(weights, 2)]
    masks = [Mask.from_array(np.ascontiguousarray(part)) for part in np.array_split(old, 2)]
    assert search_over(halves, 0.5, 0.01, masks).level == expected.level


def test_one_vector_carries_a_threshold_over_several_tensors() -> None:
    tensors = [axes.weights("normal", "float32", size, seed=size) for size in (100, 2000, 33)]
    found = search_over(tensors, 0.5, 0.01)
    whole = oracle.iter_nonstruct(np.concatenate(tensors), 0.5, 0.01)
    assert found.level == whole.level


def test_the_first_counters_do_not_depend_on_the_threshold() -> None:
    weights = axes.weights("normal", "float32", 1000)
    first = LevelSearch(1000, 0.1, 0.01).count(weights)
    assert first.dtype == np.int64
    assert first.shape == (LevelSearch.counter_count,)
    assert np.array_equal(first, LevelSearch(1000, 0.9, 0.01).count(weights))


def test_nothing_is_to_be_done_where_nothing_is_needed() -> None:
    for search in (LevelSearch(0, 0.5, 0.01), LevelSearch(100, 0.0, 0.01)):
        assert (search.done, search.rounds, search.level, search.limit) == (True, 0, 0, 0.0)
        with pytest.raises(prunecell.WrongState, match="done"):
            search.count(np.ones(100, dtype=np.float32))
        with pytest.raises(prunecell.WrongState, match="done"):
            search.advance(np.zeros(LevelSearch.counter_count, dtype=np.int64))


def test_a_level_asked_too_early_is_an_error() -> None:
    search = LevelSearch(10, 0.5, 0.01)
    for read in ("level", "limit"):
        with pytest.raises(prunecell.WrongState, match="not done"):
            getattr(search, read)


def test_unreachable_thresholds_name_what_is_out_of_reach() -> None:
    weights = np.array([0.1, np.nan, np.nan, np.inf, 0.2, 1.0], dtype=np.float64)
    search = LevelSearch(6, 0.9, 1e-21)  # the last level lies near 0.009
    with pytest.raises(prunecell.UnreachableThreshold) as raised:
        search.advance(search.count(weights))
    with pytest.raises(oracle.UnreachableError) as expected:
        oracle.iter_nonstruct(weights, 0.9, 1e-21)
    assert str(raised.value).startswith(
        "LevelSearch: threshold 0.9 asks for 6 of 6 weights, but only 0"
    )
    counts = [int(n) for n in re.findall(r"\b\d+(?= (?:NaN|Inf|finite))", str(raised.value))]
    assert counts == [expected.value.nan, expected.value.inf, expected.value.finite] == [2, 1, 3]


def wrong_totals() -> dict[str, Any]:
    right = LevelSearch(100, 0.5, 0.01).count(np.ones(100, dtype=np.float32))
    return {
        "too short": right[:-1],
        "too long": np.append(right, 0),
        "of too few weights": right * 0,
        "of too many weights": right * 2,
        "negative": -right,
    }


@pytest.mark.parametrize("which", wrong_totals())
def test_wrong_totals_are_refused_and_change_nothing(which: str) -> None:
    search = LevelSearch(100, 0.5, 0.01)
    with pytest.raises(
        prunecell.InvalidArgument, match=r"LevelSearch\.advance: expected .*100 weights"
    ):
        search.advance(wrong_totals()[which])
    assert (search.rounds, search.done) == (0, False)
    while not search.done:
        search.advance(search.count(np.ones(100, dtype=np.float32)))
    assert search.level == oracle.smallest_level(1.0, 0.01)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"size": -1}, "size: expected 0 or more, got -1"),
        ({"threshold": 1.5}, "threshold: expected a number from 0 to 1, got 1.5"),
        ({"threshold": float("nan")}, "threshold: expected .*got nan"),
        ({"delta": 0.0}, "delta: expected .*got 0"),
        ({"delta": float("inf")}, "delta: expected .*got inf"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(prunecell.InvalidArgument, match=words):
        LevelSearch(**({"size": 10, "threshold": 0.5, "delta": 0.01} | given))


def test_later_rounds_refuse_totals_that_lack_a_participant() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.normal(0, 1, 5000).astype(np.float32) for _ in range(2)]
    search = LevelSearch(10_000, 0.5, 1e-6)
    search.advance(sum(search.count(part) for part in parts))
    assert not search.done
    with pytest.raises(prunecell.InvalidArgument, match="all participants"):
        search.advance(search.count(parts[0]))
    with pytest.raises(prunecell.InvalidArgument, match="more weights"):
        search.advance(np.full(LevelSearch.counter_count, 2**62))
    while not search.done:
        search.advance(sum(search.count(part) for part in parts))
    whole = prunecell.build_mask(np.concatenate(parts), threshold=0.5, delta=1e-6)
    assert sum(int((np.abs(part) <= search.limit).sum()) for part in parts) == whole.zeros


def test_a_search_pickled_between_rounds_continues_bit_for_bit() -> None:
    weights = np.random.default_rng(3).normal(0, 1, 5000).astype(np.float32)
    for delta in (0.01, 1e-6):
        straight, moved = (LevelSearch(5000, 0.5, delta) for _ in range(2))
        while not straight.done:
            moved = pickle.loads(pickle.dumps(moved))
            counters = straight.count(weights)
            assert np.array_equal(moved.count(weights), counters)
            straight.advance(counters)
            moved.advance(counters)
            assert moved.__getstate__() == straight.__getstate__()
        for ended in (moved, pickle.loads(pickle.dumps(moved)), copy.deepcopy(moved)):
            assert (ended.done, ended.rounds) == (True, straight.rounds)
            assert (ended.level, ended.limit, ended.need) == (
                straight.level,
                straight.limit,
                straight.need,
            )


def damaged_states() -> dict[str, Any]:
    search = LevelSearch(10_000, 0.5, 1e-6)
    weights = np.random.default_rng(3).normal(0, 1, 10_000).astype(np.float32)
    search.advance(search.count(weights))
    assert not search.done
    state = search.__getstate__()
    names = ["format", "size", "threshold", "delta", "rounds", "first", "below", "inside"]
    damaged: dict[str, Any] = {"no tuple": 5, "too short": state[:-1], "too long": (*state, 0)}
    for number, name in enumerate(names):
        for wrong in ("x", None, -1, 2**40, float("nan"), 2**70):
            if name == "delta" and isinstance(wrong, int) and wrong > 0:
                continue  # this one has the same first bracket
            changed = [*state]
            changed[number] = wrong
            damaged[f"{name} {wrong}"] = tuple(changed)
    shifted = dict(enumerate(state))
    damaged["first within a bracket"] = tuple((shifted | {5: state[5] + 1}).values())
    damaged["too few weights in question"] = tuple((shifted | {7: 1}).values())
    damaged["too many weights below"] = tuple((shifted | {6: 5000}).values())
    damaged["rounds after the last"] = tuple((shifted | {4: 4}).values())
    damaged["counted before the first round"] = tuple((shifted | {4: 0, 5: 0}).values())
    return damaged


@pytest.mark.parametrize("which", damaged_states())
def test_a_damaged_pickled_state_is_refused(which: str) -> None:
    blank = LevelSearch.__new__(LevelSearch)
    with pytest.raises(ValueError, match=r"state: expected|size: expected|threshold|delta"):
        blank.__setstate__(damaged_states()[which])


@pytest.mark.parametrize("totals", ["words", None, [0.5] * LevelSearch.counter_count])
def test_totals_that_are_no_integers_are_refused(totals: Any) -> None:
    with pytest.raises(prunecell.InvalidType, match="totals: expected an array of int64"):
        LevelSearch(10, 0.5, 0.01).advance(totals)
