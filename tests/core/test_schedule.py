"""When masks rise, and to which threshold: cells against the oracle's schedule."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracle
import prunecell
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunecell import PruneCell

ONE = np.float32(1)


def gradual(**given: Any) -> PruneCell:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # start above threshold, tested by itself
        cell = PruneCell(prune_mode="Gradual", prune_filler="Random", **given)
    cell.add_weights(np.ones(1000, dtype=np.float32))
    cell.initialize()
    return cell


def state(cell: PruneCell) -> tuple[float, int, int]:
    saved = cell.state_dict()
    return cell.get_current_threshold(), cell.rises, saved["counter"]


def assert_same(cell: PruneCell, schedule: oracle.Schedule) -> None:
    assert state(cell) == (float(schedule.current), schedule.rises, schedule.counter)


def test_surplus_samples_are_carried() -> None:
    cell = gradual(stepsize=100, threshold=0.9)
    rises_at = []
    for update in range(1, 14):
        before = cell.rises
        cell.update(32)
        if cell.rises > before:
            rises_at.append(update)
    assert rises_at == [4, 7, 10, 13]


def test_an_update_rises_once_however_many_samples_it_brings() -> None:
    cell = gradual(stepsize=10, gamma=0.1, threshold=0.9)
    cell.update(35)
    assert state(cell) == (float(np.float32(0.1) + np.float32(0.1)), 1, 25)
    cell.update(0)
    assert state(cell)[1:] == (2, 15)


def test_a_batch_of_no_samples_counts_nothing() -> None:
    cell = gradual(stepsize=10)
    for _ in range(20):
        cell.update(0)
    assert state(cell)[1:] == (0, 0)


def test_with_a_step_size_epochs_change_nothing() -> None:
    cell = gradual(stepsize=10)
    cell.end_epoch()
    assert state(cell)[1:] == (0, 0)


def test_without_a_step_size_epochs_alone_rise() -> None:
    cell = gradual(gamma=0.1, threshold=0.3)
    cell.update(10**6)
    assert cell.rises == 0
    for _ in range(5):
        cell.end_epoch()
    assert state(cell) == (float(np.float32(0.3)), 2, 0)


def test_after_the_threshold_masks_are_not_rebuilt() -> None:
    weights = np.linspace(0, 1, 100, dtype=np.float32)
    cell = PruneCell(
        prune_mode="Gradual", prune_filler="IterNonStruct", threshold=0.2, in_place=False
    )
    cell.add_weights(weights)
    cell.initialize()
    for _ in range(2):
        cell.end_epoch()
    at_threshold = cell.get_pruned_masks(0).copy()
    weights[:] = weights[::-1].copy()
    cell.end_epoch()
    assert cell.rises == 2
    assert cell.get_pruned_masks(0) == at_threshold


def test_with_gamma_0_every_rise_still_rebuilds() -> None:
    weights = np.linspace(0, 1, 100, dtype=np.float32)
    cell = PruneCell(
        prune_mode="Gradual", prune_filler="IterNonStruct", gamma=0, in_place=False, delta=0.01
    )
    cell.add_weights(weights)
    cell.initialize()
    weights[:] = weights[::-1].copy()
    cell.end_epoch()
    assert cell.get_current_threshold() == float(np.float32(0.1))
    assert not cell.get_pruned_masks(0).to_array()[-1]


@pytest.mark.parametrize("start", [0.3, 0.5])
def test_a_start_not_below_the_threshold_stays(start: float) -> None:
    cell = gradual(start=start, threshold=0.3)
    for _ in range(3):
        cell.end_epoch()
    assert state(cell) == (float(np.float32(start)), 0, 0)


def test_a_start_above_the_threshold_warns() -> None:
    with pytest.warns(UserWarning, match=r"start 0\.5 .* threshold 0\.3") as seen:
        PruneCell(prune_mode="Gradual", start=0.5, threshold=0.3)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    PruneCell(prune_mode="Static", start=0.5, threshold=0.3)  # start is not used there


@pytest.mark.parametrize("mode", ["Static", "Identity"])
def test_other_modes_do_not_rise(mode: str) -> None:
    cell = PruneCell(prune_mode=mode, threshold=0.5, stepsize=1)
    cell.add_weights(np.ones(1000))
    cell.initialize()
    before = state(cell)
    cell.update(100)
    cell.end_epoch()
    assert state(cell) == before == (0.5 if mode == "Static" else 0.0, 0, 0)


def test_a_sum_just_below_the_threshold_snaps() -> None:
    cell = gradual(start=0.05, gamma=0.15, threshold=0.8)
    for _ in range(5):
        cell.end_epoch()
    assert state(cell) == (float(np.float32(0.8)), 5, 0)


@pytest.mark.parametrize(("below", "snaps"), [(0.9e-6, True), (1.2e-6, False)])
def test_a_sum_snaps_from_less_than_a_millionth_below(below: float, snaps: bool) -> None:
    cell = gradual(start=0.25, gamma=0.25 - below, threshold=0.5)
    cell.end_epoch()
    assert (cell.get_current_threshold() == 0.5) == snaps


def test_counters_near_the_end_of_their_range_are_safe() -> None:
    cell = gradual(stepsize=2**63 - 1, threshold=0.9)
    cell.update(2**62)
    with pytest.raises(prunecell.InvalidArgument, match="batch_size"):
        cell.update(2**63 - 1)
    assert state(cell)[1:] == (0, 2**62)


share = st.floats(0, 1)


@given(
    start=share,
    threshold=share,
    gamma=share | st.sampled_from([0.05, 0.1, 0.15]),
    stepsize=st.integers(0, 50),
    moves=st.lists(st.integers(-1, 80), max_size=30),
)
def test_any_schedule_follows_the_definition(
    start: float, threshold: float, gamma: float, stepsize: int, moves: list[int]
) -> None:
    cell = gradual(start=start, threshold=threshold, gamma=gamma, stepsize=stepsize)
    expected = oracle.Schedule("Gradual", threshold, start, stepsize, gamma)
    for move in moves:
        if move < 0:
            cell.end_epoch()
            expected.end_epoch()
        else:
            cell.update(move)
            expected.update(move)
        assert_same(cell, expected)
        need = oracle.need(1000, float(expected.current))
        assert cell.figures(0).zeros == need
