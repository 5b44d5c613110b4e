"""States and cells that earlier versions wrote load for ever."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import old_states
import prunecell
import pytest
from old_states import EXPECTED, FOLDER, described
from prunecell import PruneCell

pytestmark = pytest.mark.filterwarnings("ignore:all weights w")  # that tie


def state_in(name: str) -> dict[str, Any]:
    path = FOLDER / name
    if name.endswith(".npz"):
        with np.load(path, allow_pickle=True) as file:
            return file["state"].item()
    if name.endswith(".pt"):
        torch = pytest.importorskip("torch")
        return torch.load(path, weights_only=False)
    return pickle.loads(path.read_bytes())


def fresh(expected: dict[str, Any]) -> PruneCell:
    cell = PruneCell(**expected["parameters"])
    for tensor in expected["tensors"]:
        cell.add_weights(np.ones(tensor["shape"], np.float32))
    return cell


def test_the_files_are_there() -> None:
    found = {path.name for path in FOLDER.iterdir()}
    assert found - {"README.md", "expected.json"} == set(EXPECTED)
    assert len(old_states.names("state")) > 6 < len(old_states.names("model"))


@pytest.mark.parametrize("name", old_states.names("state"))
def test_a_state_loads(name: str) -> None:
    cell = fresh(EXPECTED[name])
    cell.load_state_dict(state_in(name))
    assert described(cell) == EXPECTED[name]
    again = fresh(EXPECTED[name])
    again.load_state_dict(cell.state_dict())
    assert described(again) == EXPECTED[name]


@pytest.mark.parametrize("missing", [("custom",), ("custom", "tied", "ties")], ids=str)
def test_a_state_from_before_a_value_was_saved_loads(missing: tuple[str, ...]) -> None:
    expected, state = EXPECTED["gradual.state.pickle"], state_in("gradual.state.pickle")
    for values in (state["parameters"], *state["tensors"]):
        for name in missing:
            values.pop(name, None)
    cell = fresh(expected)
    cell.load_state_dict(state)
    assert described(cell) == expected


@pytest.mark.parametrize("name", old_states.names("cell"))
def test_a_pickled_cell_loads(name: str) -> None:
    cell = pickle.loads((FOLDER / name).read_bytes())
    assert described(cell) == EXPECTED[name]
    assert described(pickle.loads(pickle.dumps(cell))) == EXPECTED[name]
    cell.initialize()
    cell.update(64)
    assert cell.initialized


def test_a_pickled_cell_of_a_newer_release_is_refused() -> None:
    cell = PruneCell()
    state = cell.__getstate__()
    assert next(iter(state)) == "format"
    words = "expected 1 or 2, which this release reads, got 3; a newer prunecell wrote it"
    with pytest.raises(prunecell.InvalidArgument, match=rf"pickled PruneCell\['format'\]: {words}"):
        PruneCell.__new__(PruneCell).__setstate__({"format": 3})
