"""An adapter for a framework of numpy variables, with public names alone: docs/adapters.md.

Its variables move their memory whenever they like, and vanish when their owner does.
"""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import prunecell
import pytest
from axes import weights
from cells_setup import GRADUAL
from numpy.typing import NDArray
from prunecell.quantizer import CellArrays, PruneCell


class Variable:
    """A weight of the framework: its value may be another array at any time."""

    def __init__(self, value: NDArray[Any]) -> None:
        self.value = value
        self.gradient = np.ones_like(value)
        self.version = 0

    def move(self) -> None:
        moved = self.value.copy()
        self.value[:] = np.nan  # whoever writes there still would show
        self.value = moved


class Source:
    """Finds the memory of a variable, which it does not keep alive. Copies find nothing."""

    def __init__(self, variable: Variable | None = None) -> None:
        self._variable: Any = (lambda: None) if variable is None else weakref.ref(variable)
        self._masked_version = -1
        self.asked = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return (Source, ())

    @property
    def gone(self) -> bool:
        return self._variable() is None

    def arrays(self) -> CellArrays | None:
        self.asked += 1
        variable = self._variable()
        return None if variable is None else (variable.value, variable.gradient, None)

    def is_masked(self) -> bool:
        variable = self._variable()
        return variable is not None and variable.version == self._masked_version

    def written(self) -> None:
        variable = self._variable()
        if variable is not None:
            variable.version += 1
            self._masked_version = variable.version


def pruned(cell: PruneCell, seed: int = 0, name: str = "") -> tuple[Variable, int]:
    variable = Variable(weights("normal", "float32", (6, 50), seed=seed))
    number = cell.add_source(Source(variable), variable.value.shape, name)
    cell.initialize()
    return variable, number


def source_of(cell: PruneCell, number: int) -> Source:
    source = cell.source(number)
    assert isinstance(source, Source)
    return source


def zeros(array: NDArray[Any]) -> int:
    return int((array == 0).sum())


def test_it_prunes_as_a_cell_that_holds_its_arrays_does() -> None:
    cell, plain = PruneCell(**GRADUAL), PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    own = weights("normal", "float32", (6, 50))
    plain.add_weights(own)
    plain.initialize()
    for step in range(4):
        for array in (variable.value, own):
            array[:] += weights("normal", "float32", (6, 50), seed=10 + step)
        variable.version += 1
        cell.update(64)
        plain.update(64)
        assert np.array_equal(variable.value, own)
    assert cell.mask(number) == plain.get_pruned_masks()
    assert cell.rises == plain.rises == 2


def test_memory_that_moves_is_found_again() -> None:
    cell = PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    old = variable.value
    variable.move()
    variable.value += 1
    variable.version += 1
    cell.propagate()
    mask = cell.mask(number)
    assert mask is not None
    assert zeros(variable.value) == mask.zeros > 0
    assert np.isnan(old).all()
    cell.back_propagate()
    assert zeros(variable.gradient) == mask.zeros


def test_the_number_of_what_went_away_is_free_at_once() -> None:
    cell = PruneCell(**GRADUAL)
    gone, number = pruned(cell)
    del gone
    _, again = pruned(cell, seed=1)
    assert again == number


def test_memory_that_goes_away_leaves_its_number_to_another() -> None:
    cell = PruneCell(**GRADUAL)
    gone, number = pruned(cell)
    stays, other = pruned(cell, seed=1)
    cell.set_pruned_masks(number, np.ones((6, 50), dtype=bool))
    seen = weakref.ref(gone)
    del gone
    gc.collect()
    assert seen() is None
    cell.update(64)
    assert zeros(stays.value) == cell.figures(other).zeros
    new = Variable(weights("normal", "float32", (3, 7), seed=2))
    assert cell.add_source(Source(new), (3, 7), "new") == number
    assert (cell.shape(number), cell.name(number), cell.tensor_count) == ((3, 7), "new", 2)
    assert not cell.is_custom(number)
    cell.initialize()
    assert zeros(new.value) == cell.figures(number).zeros > 0


def test_a_tensor_that_is_dropped_is_left_alone() -> None:
    cell = PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    stays, _ = pruned(cell, seed=1)
    cell.drop_tensor(number)
    assert cell.source(number) is None
    variable.value += 1
    cell.update(64)
    assert zeros(variable.value) == 0
    assert zeros(stays.value) > 0
    with pytest.raises(prunecell.InvalidArgument, match="index: expected a number less than 2"):
        cell.drop_tensor(2)


def test_weights_known_to_be_masked_are_not_asked_for() -> None:
    cell = PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    source = source_of(cell, number)
    asked = source.asked
    cell.update(1)
    assert source.asked == asked
    variable.version += 1  # somebody else wrote it
    cell.update(1)
    assert source.asked == asked + 1
    cell.update(62)  # a rise is due
    assert source.asked == asked + 2


def test_changes_tell_who_follows() -> None:
    cell, follower = PruneCell(**GRADUAL), PruneCell(**GRADUAL)
    pruned(cell)
    average, _ = pruned(follower, seed=1)
    before = cell.changes
    cell.propagate()
    assert cell.changes == before
    cell.update(64)
    assert cell.changes > before
    kept, before = average.value.copy(), follower.changes
    follower.restore(cell.snapshot())
    assert follower.changes > before
    assert np.array_equal(average.value, kept)  # no mask is enforced
    assert follower.mask(0) == cell.mask(0)
    follower.propagate()
    assert zeros(average.value) >= cell.figures().zeros


def test_a_mask_of_the_caller_is_told_apart() -> None:
    cell = PruneCell(**GRADUAL)
    _, number = pruned(cell)
    assert not cell.is_custom(number)
    cell.set_pruned_masks(number, np.ones((6, 50), dtype=bool))
    assert cell.is_custom(number)
    other = PruneCell(**GRADUAL)
    pruned(other)
    other.restore(cell.snapshot())
    assert other.is_custom(number)


@pytest.mark.parametrize("road", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_a_copy_waits_for_its_own_memory(road: Any) -> None:
    cell = PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    twin = road(cell)
    assert source_of(twin, number).gone
    copied = copy.deepcopy(variable)
    twin.replace_source(number, Source(copied))
    copied.value += 1
    twin.update(64)
    assert zeros(copied.value) == twin.figures(number).zeros > zeros(variable.value)


def test_arrays_and_sources_share_a_cell() -> None:
    cell = PruneCell(**GRADUAL)
    variable, number = pruned(cell)
    own = weights("normal", "float32", (4, 4), seed=1)
    assert cell.add_weights(own) == 1
    cell.initialize()
    own += 1
    cell.update(1)  # which cannot know whether the caller has written his array
    assert zeros(own) == cell.figures(1).zeros > 0
    cell.drop_tensor(number)
    late = weights("normal", "float32", (2, 2), seed=2)
    assert cell.add_weights(late) == number
    cell.initialize()
    cell.update(64)
    assert zeros(late) == cell.figures(number).zeros > 0
    assert zeros(variable.value) < variable.value.size


def test_equal_parameters_are_equal() -> None:
    cell = PruneCell(**GRADUAL)
    assert cell.parameters == PruneCell(**cell.parameters.as_dict()).parameters
    assert cell.parameters != PruneCell().parameters
