"""`TensorSource`: how a `PruneCell` finds the memory of a tensor and tells of writes to it."""

from __future__ import annotations

from typing import Any, Protocol

Array = Any
CellArrays = tuple[Array, Array, Array]
"""Weights, their gradient or None, and the buffer of pruned weights or None."""

NO_ARRAYS: CellArrays = (None, None, None)
"""The entry of a tensor whose memory is gone."""


class TensorSource(Protocol):
    """Where the memory of one tensor is found when a call needs it.

    An adapter writes one for its framework and gives it to `PruneCell.add_source`. The cell asks it
    at each call and keeps no memory, so that memory may move between two calls. `copy.deepcopy` and
    `pickle` of the cell copy the source, too: a source that refers to its owner weakly gives copies
    that are gone, and the copy of the owner calls `PruneCell.replace_source`.
    """

    @property
    def gone(self) -> bool:
        """Whether the owner of the memory is no more. Its number may go to another tensor then."""

    def arrays(self) -> CellArrays | None:
        """The memory as it is now; None where its owner is gone.

        Returns:
            The weights, of the shape that the tensor was added with; their gradient, or None; where
            the cell is not in place the buffer of pruned weights, else None. `prunecell.ops` says
            which arrays are accepted.
        """

    def is_masked(self) -> bool:
        """Whether the memory is known to be masked, so that nothing is left to enforce.

        `update` asks once at each call. False is always right, and costs a pass over the weights.
        """

    def written(self) -> None:
        """The weights, or the buffer of pruned weights, have been written by the cell."""


class HeldArrays:
    """The source of `PruneCell.add_weights`: arrays that the cell keeps alive."""

    gone = False

    def __init__(self, arrays: CellArrays) -> None:
        self._arrays = arrays

    def arrays(self) -> CellArrays:
        """See `TensorSource`."""
        return self._arrays

    def is_masked(self) -> bool:
        """See `TensorSource`. The caller may have written them."""
        return False

    def written(self) -> None:
        """See `TensorSource`."""
