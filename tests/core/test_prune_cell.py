"""PruneCell: its states, its masks against the oracle's cell, and what it tells."""

from __future__ import annotations

import warnings
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from cells_setup import GRADUAL, all_may_go, made, normal, snapshot
from prunecell import Mask, PruneCell

pytestmark = all_may_go

# States


@pytest.mark.parametrize("call", ["propagate", "back_propagate", "update", "end_epoch"])
def test_calls_before_initialize_say_so_and_change_nothing(call: str) -> None:
    weights = normal()
    before = bits(weights).copy()
    cell = PruneCell(prune_mode="Static", threshold=0.5)
    cell.add_weights(weights)
    arguments = (1,) if call == "update" else ()
    with pytest.raises(prunecell.WrongState, match=f"^{call}: .*call initialize first"):
        getattr(cell, call)(*arguments)
    assert np.array_equal(bits(weights), before)


@pytest.mark.parametrize("call", ["state_dict", "get_pruned_masks", "set_pruned_masks"])
def test_results_before_initialize_are_errors_too(call: str) -> None:
    cell = PruneCell(prune_mode="Static")
    cell.add_weights(normal())
    arguments = {"set_pruned_masks": (0, Mask((6, 50)))}.get(call, ())
    with pytest.raises(prunecell.WrongState, match="call initialize first"):
        getattr(cell, call)(*arguments)


def test_a_cell_without_tensors_has_nothing_to_initialize() -> None:
    cell = PruneCell(prune_mode="Static")
    cell.initialize()
    assert not cell.initialized
    with pytest.raises(prunecell.WrongState):
        cell.propagate()


def test_a_second_initialize_changes_nothing() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    cell.update(64)
    weights[weights != 0] = 5  # what an optimizer might do
    before = snapshot(cell)
    cell.initialize()
    assert snapshot(cell) == before


def test_reset_starts_over_from_the_weights_as_they_are() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    cell.update(100)
    weights[:] = normal(seed=1)
    cell.initialize(reset=True)
    expected = oracle.iter_nonstruct(normal(seed=1), 0.2, 0.01)
    assert np.array_equal(cell.get_pruned_masks(0), expected.kept)
    assert (cell.rises, cell.get_current_threshold()) == (0, float(np.float32(0.2)))
    assert cell.state_dict()["counter"] == 0


def test_a_tensor_added_later_gets_its_mask_by_the_next_initialize() -> None:
    first, second = normal(), normal((3, 40), seed=1)
    cell = made([first], **GRADUAL)
    cell.update(64)
    mask = cell.get_pruned_masks(0)
    before = mask.to_array()
    assert cell.add_weights(second) == 1
    assert not cell.initialized
    with pytest.raises(prunecell.WrongState):
        cell.propagate()
    cell.initialize()
    assert np.array_equal(mask.to_array(), before)
    expected = oracle.iter_nonstruct(normal((3, 40), seed=1), 0.4, 0.01)
    assert np.array_equal(cell.get_pruned_masks(1), expected.kept)


def test_a_mask_stays_valid_and_live_while_tensors_are_added() -> None:
    cell = made([normal()], **GRADUAL)
    mask = cell.get_pruned_masks(0)
    packed = mask.packed
    for seed in range(40):
        cell.add_weights(normal(seed=seed))
    cell.initialize()
    cell.update(64)
    assert mask.zeros == cell.figures(0).zeros
    assert np.array_equal(np.unpackbits(packed, bitorder="little")[:300], mask.to_array().ravel())


# Masks


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "out of place"])
@pytest.mark.parametrize("filler", ["IterNonStruct", "Random", "None"])
@pytest.mark.parametrize("dtype", axes.DTYPES)
def test_training_follows_the_definition(dtype: str, filler: str, in_place: bool) -> None:
    shapes: tuple[Any, ...] = ((6, 50), (), (0, 3), (4, 3, 3, 3))
    ours = [normal(shape, seed, dtype) for seed, shape in enumerate(shapes)]
    given = GRADUAL | {"prune_filler": filler, "in_place": in_place, "seed": 3}
    cell = made(ours, **given)
    schedule = oracle.Schedule("Gradual", 0.6, 0.2, 64, 0.2)
    expected = oracle.Cell(
        schedule, filler, [normal(s, n, dtype) for n, s in enumerate(shapes)], 0.01, in_place, 3
    )
    expected.initialize()
    rng = np.random.default_rng(5)
    for step in range(9):
        cell.propagate()
        for number, shape in enumerate(shapes):
            moved = rng.normal(0, 0.1, shape).astype(axes.DTYPES[dtype])
            ours[number] += moved
            expected.weights[number] += moved
        cell.update(32)
        expected.update(32)
        cell.end_epoch()
        expected.end_epoch()
        assert cell.get_current_threshold() == float(schedule.current), step
        for number in range(len(shapes)):
            assert np.array_equal(cell.get_pruned_masks(number), expected.kept[number]), step
            assert np.array_equal(bits(ours[number]), bits(expected.weights[number]))
            pruned = cell.get_quantized_weights(number)
            assert np.array_equal(bits(pruned), bits(expected.pruned(number)))
            assert cell.figures(number).level == expected.levels[number]
            assert cell.figures(number).zeros == int((~expected.kept[number]).sum())


def test_a_rise_in_place_never_gives_back_a_weight() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    before = cell.get_pruned_masks(0).to_array()
    weights[:] = 3.0  # all large now, pruned ones too
    weights[0, :10] = 0.001
    cell.update(64)
    after = cell.get_pruned_masks(0).to_array()
    assert not (after & ~before).any()


def test_a_rise_out_of_place_can_give_back_a_weight() -> None:
    weights = normal()
    cell = made([weights], in_place=False, **GRADUAL)
    before = cell.get_pruned_masks(0).to_array()
    weights[:] = weights.reshape(-1)[::-1].reshape(weights.shape).copy()
    cell.update(64)
    after = cell.get_pruned_masks(0).to_array()
    assert (after & ~before).any()
    assert np.array_equal(bits(cell.get_quantized_weights(0)), bits(oracle.applied(weights, after)))


def test_identity_keeps_all_and_builds_no_mask() -> None:
    weights = np.array([0.0, np.nan, 1.0], dtype=np.float32)
    before = bits(weights).copy()
    cell = made([weights], prune_filler="IterNonStruct")
    cell.propagate()
    cell.update(10)
    assert np.array_equal(bits(weights), before)
    assert cell.get_pruned_masks(0).to_array().all()
    assert cell.state_dict()["tensors"][0]["mask"] is None
    assert cell.get_current_threshold() == 0.0
    with pytest.raises(prunecell.WrongState, match="Identity"):
        cell.set_pruned_masks(0, np.zeros(3, dtype=bool))


def test_identity_out_of_place_copies() -> None:
    weights = axes.weights("special", "float32", (4, 9))
    cell = made([weights], in_place=False)
    assert np.array_equal(bits(cell.get_quantized_weights(0)), bits(weights))
    weights[0] = 4
    cell.propagate()
    assert np.array_equal(bits(cell.get_quantized_weights(0)), bits(weights))


def test_gradients_of_pruned_weights_become_zero() -> None:
    weights, gradient = normal(), normal(seed=1)
    gradient[0, 0] = np.nan
    cell = PruneCell(prune_mode="Static", threshold=0.5)
    cell.add_weights(weights, gradient)
    cell.add_weights(normal(seed=2))  # without a gradient
    cell.initialize()
    before = gradient.copy()
    cell.back_propagate()
    kept = cell.get_pruned_masks(0).to_array()
    assert np.array_equal(bits(gradient), bits(oracle.applied(before, kept)))


def test_biases_are_never_pruned() -> None:
    biases = np.array([0.0, 1e-9, 3.0], dtype=np.float32)
    cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=1)
    cell.add_weights(normal())
    cell.add_biases(biases)
    cell.initialize()
    cell.propagate()
    assert cell.get_quantized_biases(0) is biases
    assert biases.tolist() == [0.0, np.float32(1e-9), 3.0]


def test_enforcing_is_idempotent_and_counts_nothing() -> None:
    cell = made([normal()], **GRADUAL)
    before = snapshot(cell)
    for _ in range(5):
        cell.propagate()
        cell.back_propagate()
    assert snapshot(cell) == before


def test_propagate_masks_what_an_optimizer_wrote() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    kept = cell.get_pruned_masks(0).to_array()
    weights[:] = np.nan
    cell.propagate()
    assert np.isnan(weights[kept]).all()
    assert not bits(weights)[~kept].any()


def test_from_zeros_takes_the_zeros_that_are_there() -> None:
    weights = normal()
    weights[:, ::3] = 0
    weights[0, 0] = -0.0
    zeros = weights == 0
    cell = PruneCell.from_zeros()
    cell.add_weights(weights)
    cell.initialize()
    assert np.array_equal(cell.get_pruned_masks(0), ~zeros)
    weights += 1
    cell.update(1)
    assert np.array_equal(weights == 0, zeros)


def test_a_mask_of_the_user_is_enforced_and_only_grows_in_place() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    chosen = np.ones(weights.shape, dtype=bool)
    chosen[:, :5] = False
    cell.set_pruned_masks(0, chosen)
    assert not weights[:, :5].any()
    assert cell.figures(0).zeros == 30
    assert np.array_equal(cell.get_pruned_masks(0), chosen)
    held = weights.copy()
    cell.update(64)
    expected = oracle.iter_nonstruct(held, 0.4, 0.01, chosen)
    assert np.array_equal(cell.get_pruned_masks(0), expected.kept)
    cell.set_pruned_masks(0, Mask(weights.shape))
    assert cell.figures(0).zeros == 0
    with pytest.raises(prunecell.InvalidArgument, match=r"shape \(6, 50\), got \(50, 6\)"):
        cell.set_pruned_masks(0, Mask((50, 6)))
    with pytest.raises(prunecell.InvalidArgument, match=r"less than 1, .* got 1"):
        cell.set_pruned_masks(1, chosen)


@pytest.mark.parametrize("kind", ["float32", "int64", "<U5"])
def test_a_mask_that_is_no_array_of_bool_is_refused(kind: str) -> None:
    cell = made([normal()], prune_mode="Static", threshold=0.5)
    before = cell.get_pruned_masks().copy()
    words = f"mask: expected a Mask or an array of bool, got {kind}"
    with pytest.raises(prunecell.InvalidType, match=words):
        cell.set_pruned_masks(0, np.zeros((6, 50), dtype=kind))
    assert cell.get_pruned_masks() == before


def test_with_the_filler_none_the_mask_is_the_users_alone() -> None:
    weights = normal()
    cell = made([weights], **(GRADUAL | {"prune_filler": "None"}))
    chosen = np.arange(300).reshape(6, 50) % 7 > 0
    cell.set_pruned_masks(0, chosen)
    for _ in range(3):
        cell.update(64)
    assert cell.rises == 2
    assert np.array_equal(cell.get_pruned_masks(0), chosen)


def test_arrays_are_viewed_not_copied() -> None:
    weights, gradient = normal(), normal()
    cell = PruneCell(prune_mode="Static", threshold=0.5)
    cell.add_weights(weights, gradient)
    cell.initialize()
    assert cell.get_quantized_weights(0) is weights
    assert prunecell.count_zeros(weights) == 150
    del weights  # the cell keeps it alive
    cell.propagate()
    assert prunecell.count_zeros(cell.get_quantized_weights(0)) == 150


# Telling


def test_figures_tell_what_was_asked_and_reached() -> None:
    cell = made(
        [np.full(10, 0.5, dtype=np.float32)],
        prune_mode="Static",
        prune_filler="IterNonStruct",
        threshold=0.3,
        delta=0.25,
    )
    figures = cell.figures(0)
    assert (figures.size, figures.zeros, figures.level) == (10, 10, 2)
    assert figures.asked == float(np.float32(0.3))
    assert figures.reached == 1.0
    assert figures.overshoot == 1.0 - float(np.float32(0.3))
    assert repr(figures) == (
        "Figures(asked=0.3, reached=1, zeros=10 of 10, level=2, overshoot=0.7)"
    )
    with pytest.raises(prunecell.InvalidArgument, match=r"less than 1, .* got 1"):
        cell.figures(1)


def test_the_repr_shows_what_differs_and_what_was_reached() -> None:
    cell = PruneCell(prune_mode="Static", threshold=0.5)
    assert repr(cell) == "PruneCell(prune_mode='Static', threshold=0.5) not initialized"
    cell.add_weights(np.ones((4, 5)))
    cell.add_weights(np.ones(0))
    cell.initialize()
    assert repr(cell) == (
        "PruneCell(prune_mode='Static', threshold=0.5) at 0.5: "
        "10 of 20 weights pruned (50.00%) in 2 tensors"
    )


def test_a_gradual_cell_that_nobody_drives_warns_once() -> None:
    cell = made([np.ones(40)], **GRADUAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(999):
            cell.propagate()
    with pytest.warns(UserWarning, match="1000 times, but neither update nor end_epoch"):
        cell.propagate()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2500):
            cell.propagate()


@pytest.mark.parametrize("driven", ["update", "end_epoch"])
def test_a_driven_cell_does_not_warn(driven: str) -> None:
    cell = made([np.ones(40)], **GRADUAL)
    for call in range(2500):
        if call % 900 == 0:
            cell.update(0) if driven == "update" else cell.end_epoch()
        cell.propagate()


@pytest.mark.parametrize("mode", ["Static", "Identity"])
def test_cells_without_a_schedule_do_not_warn(mode: str) -> None:
    cell = made([np.ones(4)], prune_mode=mode)
    for _ in range(1500):
        cell.propagate()


# Arrays that change after they were added


def read_only(weights: np.ndarray[Any, Any]) -> None:
    weights.flags.writeable = False


def resized(weights: np.ndarray[Any, Any]) -> None:
    weights.resize(7, refcheck=False)


@pytest.mark.parametrize("call", ["propagate", "update", "end_epoch"])
@pytest.mark.parametrize("change", [read_only, resized])
def test_an_array_that_changed_under_the_cell_is_refused(change: Any, call: str) -> None:
    weights = np.linspace(-1, 1, 40).copy()
    cell = made([weights], **GRADUAL)
    before = cell.state_dict()
    change(weights)
    left = weights.copy()
    with pytest.raises(prunecell.InvalidArgument, match="weights"):
        getattr(cell, call)(*((1,) if call == "update" else ()))
    assert np.array_equal(weights, left)
    assert cell.state_dict()["counter"] == before["counter"]


def test_memory_that_moved_with_its_array_is_found() -> None:
    weights = np.linspace(-1, 1, 40).copy()
    cell = made([weights], prune_mode="Static", prune_filler="IterNonStruct", threshold=0.5)
    weights.resize(4000, refcheck=False)
    weights.resize(40, refcheck=False)
    weights[:] = 1
    cell.propagate()
    assert np.array_equal(weights != 0, cell.get_pruned_masks(0).to_array())
