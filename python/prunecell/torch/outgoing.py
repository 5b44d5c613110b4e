"""What leaves the process is masked: state_dicts, copies, pickles, packed weights.

A write through `.data` leaves no trace in the version of a tensor: where weights are about to
leave, they are looked at themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.warning import warn


def mask_outgoing(weights: Iterable[PrunedWeight]) -> None:
    """Masks weights that are about to leave, and says once what is surely not meant."""
    leaving = list(dict.fromkeys(weights))
    written = [one.name for one in leaving if one.look()]
    if written:
        warn(
            f"{_named(written)}: pruned weights were not 0, something wrote them since they were "
            "masked. They leave masked; call model.apply_masks() after such writes"
        )
    behind = [one.name for one in leaving if one.is_left_behind()]
    if behind:
        warn(
            f"{_named(behind)}: a copy of a model is written, by no optimizer, as an average is; "
            "the masks of the model have risen since it was copied, and it leaves with those that "
            "it has. prunecell.torch.wrap(average).follow(model) gives it those of the model"
        )


def _named(cells: Sequence[str]) -> str:
    return f"{'cell' if len(cells) == 1 else 'cells'} {', '.join(map(repr, cells))}"
