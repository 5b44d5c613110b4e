"""`SavedCell`: the state of a `PruneCell`, saved, loaded, copied and pickled."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from prunecell import _core
from prunecell._core import WrongState
from prunecell.cell_tensors import CellTensors
from prunecell.saved_state import FORMAT, check_format, read_pickled, read_state
from prunecell.sources import HeldArrays

Self = TypeVar("Self", bound="SavedCell")


class SavedCell(CellTensors):
    """Base of `PruneCell`: its tensors, and all that leaves with them."""

    def state_dict(self) -> dict[str, Any]:
        """Format, parameters, schedule, figures and masks, by name (docs/formats.md)."""
        if not self._core.initialized:
            raise WrongState("state_dict: the cell is not initialized, call initialize first")
        return self.snapshot()

    def load_state_dict(self, state: dict[str, Any], *, keep_parameters: bool = False) -> None:
        """Continues from a state, bit for bit.

        Args:
            state: What `state_dict` gave, here or in an earlier release, of a cell with tensors of
                the same shapes.
            keep_parameters: Keep this cell's parameters where they differ, and continue from the
                saved threshold.

        Raises:
            InvalidArgument: Another format than this release reads, other parameters (each is
                named), other shapes, a mask that does not fit its count, a tensor that is not
                initialized. Nothing is changed.
        """
        read = read_state(state)
        arrays = self._arrays()  # before anything changes: it raises where a model is compressed
        self.restore(read, keep_parameters=keep_parameters)
        self._enforce(arrays)

    def snapshot(self) -> dict[str, Any]:
        """The state as it is, also where tensors have no mask yet; for adapters."""
        state = self._core.save()
        for number, tensor in enumerate(state["tensors"]):
            tensor["custom"] = number in self._custom
        return state

    def restore(self, state: dict[str, Any], *, keep_parameters: bool = False) -> None:
        """Takes a state over and leaves the weights alone; for adapters, which enforce the masks.

        Args:
            state: What `snapshot` or `state_dict` gave, of a cell with tensors of the same shapes.
            keep_parameters: See `load_state_dict`.

        Raises:
            InvalidArgument: See `load_state_dict`; tensors may have no mask.
        """
        self._core.load(state, keep_parameters)
        self._changes += 1
        tensors = enumerate(state["tensors"])
        self._custom = {number for number, tensor in tensors if tensor.get("custom", False)}

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            new.__dict__[name] = value.copy() if name == "_core" else deepcopy(value, memo)
        return new

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        tensors = [
            (self._core.shape(t), self._core.name(t)) for t in range(self._core.tensor_count)
        ]
        state["_core"] = (tensors, self._core.save())
        return {"format": FORMAT} | state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(_as_pickled_now(state))
        tensors, saved = state["_core"]
        self._core = _core.PruneCell(self._chosen.as_dict())
        for shape, name in tensors:
            self._core.add_tensor(shape, name)
        self._core.load(read_pickled(saved))


def _as_pickled_now(state: dict[str, Any]) -> dict[str, Any]:
    """What a pickle holds, with the names of today where it is older.

    The first pickles do not say their format.
    """
    state = {"format": 1} | state
    check_format("pickled PruneCell", state)
    del state["format"]
    later: dict[str, Any] = {"_custom": set(), "_told": set(), "_changes": 0}
    new = later | state
    if "_parameters" in new:
        new["_chosen"] = new.pop("_parameters")
    held = dict(enumerate(map(HeldArrays, new.pop("_held", ()))))
    new["_sources"] = held | new["_sources"]
    return new
