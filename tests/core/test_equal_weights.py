"""Tensors that lose all weights though less was asked: said once, or left alone by ties="keep"."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import prunecell
import pytest
from axes import bits
from cells_setup import GRADUAL, made, normal
from prunecell import PruneCell

pytestmark = pytest.mark.usefixtures("device")

STATIC: dict[str, Any] = {
    "prune_mode": "Static",
    "prune_filler": "IterNonStruct",
    "threshold": 0.5,
    "delta": 0.01,
}
DEAD = (
    r"all weights were pruned, though less was asked, of tensor 0 \(0\.{} asked\)\. .*ties='keep'"
)
SPARED = r"would have been pruned, though less was asked, of tensor 0 \(0\.{} asked\).*ties='keep'"


def zeros() -> Any:
    return np.zeros((6, 50), np.float32)


def drive(cell: PruneCell) -> None:
    """Without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cell.propagate()
        cell.update(64)
        cell.end_epoch()
        cell.initialize()


@pytest.mark.parametrize(
    ("weights", "delta"),
    [(zeros(), 0.01), (np.full((6, 50), -0.5, np.float32), 0.01), (normal(), 10.0)],
    ids=["zeros", "equal", "a coarse step"],
)
@pytest.mark.parametrize("rule", [STATIC, GRADUAL], ids=["Static", "Gradual"])
def test_reaching_all_where_less_was_asked_is_said_once(
    weights: Any, delta: float, rule: dict[str, Any]
) -> None:
    asked = 5 if rule is STATIC else 2
    with pytest.warns(prunecell.PruneWarning, match=DEAD.format(asked)) as seen:
        cell = made([weights.copy()], **rule | {"delta": delta})
    assert len(seen) == 1
    assert seen[0].filename.endswith("cells_setup.py")  # whoever called
    assert cell.figures(0).reached == 1
    drive(cell)


def test_a_rise_that_reaches_all_is_said_once() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL)
    weights[:] = 0.5
    with pytest.warns(prunecell.PruneWarning, match=DEAD.format(4)) as seen:
        cell.update(64)
    assert len(seen) == 1
    assert cell.figures(0).reached == 1
    drive(cell)


def test_all_tensors_of_a_call_are_one_warning() -> None:
    with pytest.warns(prunecell.PruneWarning, match=r"tensor 0 \(0.5 asked\), tensor 2") as seen:
        made([zeros(), normal(), zeros()], **STATIC)
    assert len(seen) == 1
    with pytest.warns(prunecell.PruneWarning, match=r"tensor 9 \(0.5 asked\) and 2 more\.") as seen:
        made([zeros() for _ in range(12)], **STATIC)
    assert len(seen) == 1


def test_a_warning_that_is_an_error_leaves_nothing_half_done() -> None:
    cell = PruneCell(**STATIC)
    weights = np.full((6, 50), 0.5, np.float32)
    cell.add_weights(weights)
    with pytest.raises(prunecell.PruneWarning):
        cell.initialize()
    assert cell.initialized
    assert not weights.any()
    drive(cell)


def test_what_is_meant_is_not_said() -> None:
    made([zeros()], **STATIC | {"threshold": 1})
    made([zeros()], **STATIC | {"threshold": 0})  # from_zeros: the zeros were there
    made([np.ones(1)], prune_mode="Static", prune_filler="Random", threshold=0.5)
    made([np.zeros((0, 3), np.float32)], **STATIC)
    cell = made([normal()], **GRADUAL)
    cell.set_pruned_masks(0, np.zeros((6, 50), bool))
    drive(cell)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("again", [lambda cell: cell.update(1), PruneCell.end_epoch])
def test_a_kept_tensor_gets_its_mask_when_its_weights_differ(
    in_place: bool, again: Callable[[PruneCell], None]
) -> None:
    weights = zeros()
    with pytest.warns(prunecell.PruneWarning, match=SPARED.format(5)) as seen:
        cell = made([weights, normal(seed=5)], **STATIC | {"ties": "keep", "in_place": in_place})
    assert len(seen) == 1
    assert (cell.figures(0).tied, cell.figures(0).zeros, cell.figures(0).asked) == (True, 0, 0.5)
    drive(cell)
    assert cell.figures(0).zeros == 0
    weights[:] = trained = normal(seed=3)
    other = cell.get_pruned_masks(1).copy()
    again(cell)
    expected = prunecell.build_mask(trained, threshold=0.5, delta=0.01)
    assert cell.get_pruned_masks(0) == expected
    assert cell.get_pruned_masks(1) == other
    assert not cell.figures(0).tied
    pruned = cell.get_quantized_weights(0)
    assert np.array_equal(bits(pruned), bits(np.where(expected, trained, np.float32(0))))
    weights[:] = normal(seed=4)
    drive(cell)
    assert cell.get_pruned_masks(0) == expected


def test_a_gradual_tensor_keeps_the_mask_that_it_has() -> None:
    weights = normal()
    cell = made([weights], **GRADUAL | {"ties": "keep"})
    mask = cell.get_pruned_masks(0).copy()
    weights[np.asarray(mask)] = 0
    with pytest.warns(prunecell.PruneWarning, match=SPARED.format(4)):
        cell.update(64)
    assert cell.get_pruned_masks(0) == mask
    assert cell.figures(0).tied
    weights[:] = normal(seed=2)
    cell.update(64)
    assert cell.figures(0).reached >= 0.6
    assert not (np.asarray(cell.get_pruned_masks(0)) & ~np.asarray(mask)).any()


@pytest.mark.parametrize(
    "road",
    [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell)), None],
    ids=["copy", "pickle", "state"],
)
def test_what_is_to_be_tried_again_goes_along(road: Any) -> None:
    rule = STATIC | {"ties": "keep"}
    with pytest.warns(prunecell.PruneWarning):
        cell = made([zeros()], **rule)
    if road is None:
        other = made([normal()], **rule)
        other.load_state_dict(cell.state_dict())
    else:
        other = road(cell)
    other._arrays()[0][0][:] = normal(seed=3)
    other.update(1)
    assert not other.figures(0).tied
    assert 0.5 <= other.figures(0).reached < 0.6


def test_states_from_before_there_was_a_choice_load() -> None:
    cell = made([normal()], **GRADUAL)
    state = cell.state_dict()
    state["format"] = 1
    del state["parameters"]["ties"], state["tensors"][0]["tied"]
    other = made([normal(seed=1)], **GRADUAL)
    other.load_state_dict(state)
    assert other.get_pruned_masks(0) == cell.get_pruned_masks(0)
    keeping = made([normal()], **GRADUAL | {"ties": "keep"})
    with pytest.raises(prunecell.InvalidArgument, match="ties: prune, here keep"):
        keeping.load_state_dict(state)
    keeping.load_state_dict(state, keep_parameters=True)


@pytest.mark.parametrize(
    ("place", "key", "wrong"),
    [("parameters", "ties", 1), ("parameters", "ties", "no"), ("tensors", "tied", 2)],
)
def test_a_broken_state_is_refused(place: str, key: str, wrong: Any) -> None:
    cell = made([normal()], **GRADUAL)
    state = cell.state_dict()
    values = state[place] if place == "parameters" else state[place][0]
    values[key] = wrong
    with pytest.raises(prunecell.InvalidArgument, match=key):
        cell.load_state_dict(state)
    assert cell.ties == "prune"


def test_a_pickle_from_before_there_was_a_choice_loads() -> None:
    cell = made([normal()], **GRADUAL)
    state = cell.__getstate__()
    del state["_told"]
    old = PruneCell.__new__(PruneCell)
    old.__setstate__(state)
    drive(old)
    assert old.rises == 1


@pytest.mark.parametrize("later", ["_custom", "_told", "_changes"])
def test_a_pickle_from_before_something_was_kept_loads(later: str) -> None:
    state = made([normal()], **GRADUAL).__getstate__()
    del state[later]
    old = PruneCell.__new__(PruneCell)
    old.__setstate__(state)
    drive(old)
    assert old.rises == 1
    old.state_dict()
