"""`Source`: where a `PruneCell` finds the memory of a weight of a model."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from prunecell.quantizer import CellArrays
from prunecell.torch.masking import bump_versions


class Owner(Protocol):
    """A weight that lends its memory to a `PruneCell`."""

    @property
    def gone(self) -> bool:
        """Whether no module holds the weight any more."""

    @property
    def weight(self) -> Any:
        """The parameter."""

    def arrays(self) -> CellArrays:
        """The memory as it is now."""

    def take_proof(self) -> bool:
        """Whether the weight is known to be masked; asked once for each step."""

    def written(self) -> None:
        """The cell has written the weight, which is masked by that."""


class Source:
    """The memory of a pruned weight, for the PruneCell. Holds it weakly; copies hold nothing."""

    def __init__(self, owner: Owner | None = None) -> None:
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Source, ())

    @property
    def gone(self) -> bool:
        """See `TensorSource`."""
        owner = self._owner()
        return owner is None or owner.gone

    def arrays(self) -> CellArrays | None:
        """See `TensorSource`."""
        owner = self._owner()
        return None if owner is None or owner.gone else owner.arrays()

    def is_masked(self) -> bool:
        """See `TensorSource`."""
        owner = self._owner()
        return owner is not None and owner.take_proof()

    def written(self) -> None:
        """See `TensorSource`."""
        owner = self._owner()
        if owner is not None and not owner.gone:
            bump_versions([owner.weight])
            owner.written()
