"""What leaves the process is masked: state_dicts, copies, pickles, packed weights.

A write through `.data` leaves no trace in the version of a tensor: where weights are about to
leave, they are looked at themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prunecell.warning import warn

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight


def mask_outgoing(weights: Iterable[PrunedWeight]) -> None:
    """Masks weights that are about to leave, and warns once about those that had been written."""
    written = [one.name for one in dict.fromkeys(weights) if one.look()]
    if written:
        cells = "the cell" if len(written) == 1 else "the cells"
        warn(
            f"pruned weights of {cells} {', '.join(map(repr, written))} were not 0: something "
            "wrote them since they were masked. They leave masked; call model.apply_masks() "
            "after such writes"
        )
