"""PruneCell: a call that raises changes nothing; a saved or copied cell goes on bit for bit."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import oracle
import prunecell
import pytest
from cells_setup import GRADUAL, all_may_go, made, normal, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from prunecell import PruneCell

pytestmark = all_may_go


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "out of place"])
def test_one_unreachable_tensor_leaves_the_whole_cell_as_it_was(in_place: bool) -> None:
    good, bad = normal(), normal((4, 25), seed=1)
    cell = made([good, bad], in_place=in_place, **GRADUAL)
    cell.update(60)
    cell.propagate()
    bad[:] = np.nan
    good += 0.5
    if in_place:
        cell.propagate()  # so that only the rise could change the weights
    before = snapshot(cell)
    with pytest.raises(prunecell.UnreachableThreshold, match=r"^tensor 1: .* asks for 40 of 100"):
        cell.update(60)
    assert snapshot(cell) == before
    bad[:] = 0.25
    cell.update(60)
    assert cell.rises == 1
    assert cell.state_dict()["counter"] == 56


def test_an_unreachable_tensor_at_initialize_leaves_the_cell_uninitialized() -> None:
    good, bad = normal(), np.full(10, np.inf)
    cell = PruneCell(**GRADUAL)
    cell.add_weights(good)
    cell.add_weights(bad)
    with pytest.raises(prunecell.UnreachableThreshold, match="10 Inf"):
        cell.initialize()
    assert not cell.initialized
    assert np.array_equal(good, normal())


def test_one_unreachable_cell_leaves_all_cells_of_a_call_as_they_were() -> None:
    cells = [made([normal(seed=seed)], **GRADUAL) for seed in range(3)]
    bad = cells[1].get_quantized_weights(0)
    bad[:] = np.inf
    for cell in cells:
        cell.propagate()
    before = [snapshot(cell) for cell in cells]
    with pytest.raises(prunecell.UnreachableThreshold):
        prunecell.quantizer.update(cells, 64)
    assert [snapshot(cell) for cell in cells] == before
    bad[:] = 0.1
    prunecell.quantizer.update(cells, 64)
    assert [cell.rises for cell in cells] == [1, 1, 1]


def test_a_cell_is_listed_once() -> None:
    cell = made([normal()], **GRADUAL)
    before = snapshot(cell)
    with pytest.raises(prunecell.InvalidArgument, match="listed twice"):
        prunecell.quantizer.update([cell, cell], 64)
    assert snapshot(cell) == before


@pytest.mark.parametrize("batch_size", [-1, 2**63, 1.5, "8", None])
def test_a_wrong_batch_size_is_named_and_counts_nothing(batch_size: Any) -> None:
    cell = made([normal()], **GRADUAL)
    before = snapshot(cell)
    with pytest.raises(prunecell.InvalidArgument, match="batch_size: expected an integer"):
        cell.update(batch_size)
    assert snapshot(cell) == before


# State


def roads() -> dict[str, Any]:
    """Ways to carry a cell on: each takes a cell and its weights, gives a new cell and its own."""

    def state_dict(cell: PruneCell, weights: Any) -> tuple[PruneCell, Any]:
        new = weights.copy()
        other = made([new], in_place=cell.in_place, **GRADUAL)
        new[:] = weights
        other.load_state_dict(cell.state_dict())
        return other, new

    def pickled_state(cell: PruneCell, weights: Any) -> tuple[PruneCell, Any]:
        new = weights.copy()
        other = PruneCell(in_place=cell.in_place, **GRADUAL)
        other.add_weights(new)  # never initialized: the state does that
        other.load_state_dict(pickle.loads(pickle.dumps(cell.state_dict())))
        return other, new

    def pickled_cell(cell: PruneCell, weights: Any) -> tuple[PruneCell, Any]:
        other = pickle.loads(pickle.dumps(cell))
        return other, other._arrays()[0][0]

    def deepcopy(cell: PruneCell, weights: Any) -> tuple[PruneCell, Any]:
        other = copy.deepcopy(cell)
        return other, other._arrays()[0][0]

    return {f.__name__: f for f in (state_dict, pickled_state, pickled_cell, deepcopy)}


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "out of place"])
@pytest.mark.parametrize("road", roads())
def test_training_resumes_bit_for_bit_in_mid_schedule(road: str, in_place: bool) -> None:
    def train(cell: PruneCell, weights: Any, steps: range) -> None:
        for step in steps:
            cell.propagate()
            weights += normal(seed=100 + step)
            cell.update(40)

    weights = normal()
    cell = made([weights], in_place=in_place, **GRADUAL)
    train(cell, weights, range(3))
    assert 0 < cell.rises < 2  # in mid-schedule, with samples in the counter
    assert cell.state_dict()["counter"] > 0
    other, others = roads()[road](cell, weights)
    assert others is not weights
    assert snapshot(other) == snapshot(cell)
    train(cell, weights, range(3, 8))
    train(other, others, range(3, 8))
    assert snapshot(other) == snapshot(cell)


@pytest.mark.parametrize("road", ["pickled_cell", "deepcopy"])
def test_a_copy_has_masks_and_weights_of_its_own(road: str) -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    before = snapshot(cell)
    other, others = roads()[road](cell, weights)
    others[:] = 1
    other.update(200)
    assert snapshot(cell) == before


@pytest.mark.parametrize("road", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_a_copy_before_initialize_works(road: Any) -> None:
    cell = PruneCell(**GRADUAL)
    cell.add_weights(normal())
    other = road(cell)
    other.initialize()
    assert not cell.initialized
    assert np.array_equal(
        other.get_pruned_masks(0), oracle.iter_nonstruct(normal(), 0.2, 0.01).kept
    )


def test_other_parameters_are_named_each_of_them() -> None:
    state = made([normal()], **GRADUAL).state_dict()
    cell = made([normal()], **(GRADUAL | {"threshold": 0.7, "stepsize": 8, "seed": 5}))
    before = snapshot(cell)
    with pytest.raises(prunecell.InvalidArgument) as raised:
        cell.load_state_dict(state)
    for words in ("threshold: 0.6, here 0.7", "stepsize: 64, here 8", "seed: 0, here 5"):
        assert words in str(raised.value)
    assert "gamma" not in str(raised.value)
    assert snapshot(cell) == before


def test_a_cell_may_keep_its_parameters_and_continue_from_the_saved_threshold() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    cell.update(70)
    other = made([weights.copy()], **(GRADUAL | {"threshold": 0.9, "gamma": 0.1}))
    other.load_state_dict(cell.state_dict(), keep_parameters=True)
    assert (other.threshold, other.gamma) == (0.9, 0.1)
    assert other.get_current_threshold() == cell.get_current_threshold() == float(np.float32(0.4))
    assert other.get_pruned_masks(0) == cell.get_pruned_masks(0)
    other.update(60)
    assert other.get_current_threshold() == float(np.float32(0.4) + np.float32(0.1))


def broken_states() -> dict[str, tuple[Any, str]]:
    """Faults of a state: a function that breaks a state, and the words of the error."""

    def set_at(*path: Any) -> Any:
        def change(state: Any) -> None:
            *way, last, value = path
            for step in way:
                state = state[step]
            state[last] = value

        return change

    def flip(state: Any) -> None:
        mask = state["tensors"][0]["mask"]
        mask[2, 3] ^= 1

    def shorten(state: Any) -> None:
        state["tensors"][0]["mask"] = state["tensors"][0]["mask"][:5]

    return {
        "a newer format": (
            set_at("format", 99),
            r"state\['format'\]: expected 1 or 2, .* got 99; a newer prunecell wrote it$",
        ),
        "no such format": (
            set_at("format", 0),
            r"expected 1 or 2, which this release reads, got 0$",
        ),
        "a word for a format": (
            set_at("format", "2"),
            r"state\['format'\]: expected an integer, got '2' of type str",
        ),
        "no format": (
            lambda state: state.pop("format"),
            r"state\['format'\]: expected an integer, got none",
        ),
        "a newer format of another form": (
            lambda state: (state.clear(), state.update(format=3)),
            "got 3; a newer prunecell wrote it",
        ),
        "a parameter of a newer release": (
            set_at("parameters", "law", "cubic"),
            r"state\['parameters'\]\['law'\]: expected prune_mode, .* ties alone; a newer",
        ),
        "no custom": (
            lambda state: state["tensors"][0].pop("custom"),
            r"state\['tensors'\]\[0\]\['custom'\]: expected True or False, got none",
        ),
        "asked": (set_at("tensors", 0, "asked", 1.5), "tensor 0: asked: .* 0 to 1, got 1.5"),
        "level": (set_at("tensors", 0, "level", -1), "tensor 0: level: .* 0 or more, got -1"),
        "tensors": (lambda state: state["tensors"].append(state["tensors"][0]), "2"),
        "shape": (set_at("tensors", 0, "shape", (50, 6)), r"\(6, 50\), got \(50, 6\)"),
        "a flipped bit": (flip, "zeros"),
        "a short mask": (shorten, "bytes"),
        "no mask": (set_at("tensors", 0, "mask", None), "bytes"),
        "current": (set_at("current", 1.5), "current threshold.*got 1.5"),
        "current is NaN": (set_at("current", float("nan")), "current threshold.*got nan"),
        "rises": (set_at("rises", -1), "rises: .*got -1"),
        "counter": (set_at("counter", -1), "counter: .*got -1"),
        "a word for a number": (set_at("current", "high"), "another type"),
        "a word for a count": (
            set_at("counter", "x"),
            r"state\['counter'\]: expected an integer, got 'x' of type str",
        ),
        "a number too large": (set_at("rises", 2**70), r"state\['rises'\]: expected an integer"),
        "a number for a word": (
            set_at("parameters", "prune_filler", 3),
            r"state\['parameters'\]\['prune_filler'\]: expected a word, got 3 of type int",
        ),
        "parameters": (set_at("parameters", None), r"state\['parameters'\]: expected a dict"),
        "no seed": (
            lambda state: state["parameters"].pop("seed"),
            r"state\['parameters'\]\['seed'\]: expected an integer from 0 to .*, got none",
        ),
        "a number for the tensors": (set_at("tensors", 7), r"state\['tensors'\]: expected a list"),
        "a number for a tensor": (
            set_at("tensors", 0, 7),
            r"state\['tensors'\]\[0\]: expected a dict, got 7 of type int",
        ),
        "a word for a level": (
            set_at("tensors", 0, "level", "x"),
            r"state\['tensors'\]\[0\]\['level'\]: expected an integer, got 'x'",
        ),
        "a number for a shape": (
            set_at("tensors", 0, "shape", 300),
            r"\['shape'\]: expected a tuple",
        ),
        "a float mask": (
            set_at("tensors", 0, "mask", np.ones((6, 7))),
            r"\['mask'\]: expected integers or None",
        ),
        "not initialized": (
            set_at("tensors", 0, "initialized", False),
            r"state\['tensors'\]\[0\]\['initialized'\]: expected True, got False",
        ),
        "a wrong word": (
            set_at("parameters", "prune_mode", "Dynamic"),
            "Identity, Static, Gradual",
        ),
    }


@pytest.mark.parametrize("which", broken_states())
def test_a_broken_state_is_refused_and_changes_nothing(which: str) -> None:
    source = made([normal()], **GRADUAL)
    source.update(70)
    state = source.state_dict()
    change, words = broken_states()[which]
    change(state)
    cell = made([normal(seed=4)], **GRADUAL)
    before = snapshot(cell)
    with pytest.raises(prunecell.InvalidArgument, match=words):
        cell.load_state_dict(state)
    assert snapshot(cell) == before


def test_what_is_no_state_is_refused() -> None:
    cell = made([normal()], **GRADUAL)
    with pytest.raises(prunecell.InvalidType, match="state: expected a dict, got None"):
        cell.load_state_dict(None)  # type: ignore[arg-type]


def test_a_state_of_numpy_scalars_loads() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    cell.update(70)
    state = cell.state_dict()
    for values in (state, state["parameters"], *state["tensors"]):
        for key, value in values.items():
            if isinstance(value, bool | int | float):
                values[key] = np.asarray(value)
    other = made([weights.copy()], **GRADUAL)
    other.load_state_dict(state)
    assert snapshot(other) == snapshot(cell)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["update", "epoch", "propagate", "save", "step"]), max_size=25))
def test_any_order_of_calls_keeps_state_and_masks_in_step(calls: list[str]) -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    for number, call in enumerate(calls):
        if call == "update":
            cell.update(40)
        elif call == "epoch":
            cell.end_epoch()
        elif call == "propagate":
            cell.propagate()
        elif call == "step":
            weights += normal(seed=number)
        else:
            cell, weights = roads()["pickled_state"](cell, weights)
        kept = cell.get_pruned_masks(0).to_array()
        assert int((~kept).sum()) == cell.figures(0).zeros
        assert cell.figures(0).zeros >= oracle.need(300, cell.get_current_threshold())
        if call != "step":
            assert not weights[~kept].any()


def test_a_pickled_cell_keeps_its_masks_where_another_tensor_waits_for_one() -> None:
    cell = prunecell.PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.5)
    cell.add_weights(np.linspace(-1, 1, 40, dtype=np.float32))
    cell.initialize()
    cell.add_weights(np.ones(3, dtype=np.float32))
    twin = pickle.loads(pickle.dumps(cell))
    assert not twin.initialized
    assert twin.figures(0).zeros == cell.figures(0).zeros > 0
    twin.initialize()
    assert twin.get_pruned_masks(0) == cell._core.mask(0)
    assert twin.figures(1).zeros == 3


def test_parameters_cannot_be_set() -> None:
    cell = prunecell.PruneCell()
    with pytest.raises(AttributeError, match="threshold: the parameters of a cell are fixed"):
        cell.threshold = 0.9
    assert cell.threshold == 0.2
