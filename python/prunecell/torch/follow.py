"""Averages of a model (SWA, EMA): their cells follow those of the model that is averaged.

A cell that follows has a `PruneCell` of its own, which takes mask and place in the schedule from
that of the other cell whenever the average is looked at: by a forward, a copy, a state_dict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunecell._core import InvalidArgument
from prunecell.torch.layer import Layer
from prunecell.torch.slot import Slot


def follow(average: Mapping[str, Layer], model: Mapping[str, Layer]) -> None:
    """See `Model.follow`."""
    pruned = {name: layer for name, layer in model.items() if layer.attached is not None}
    if not pruned:
        raise InvalidArgument("follow: expected a model with pruned cells, got one without any")
    prefix = _prefix(list(pruned), list(average))
    leads: dict[Layer, Slot] = {}
    for name, layer in pruned.items():
        own = _joined(prefix, name)
        leads[average[own]] = layer.slot
        _check(own, average[own].slot, layer.slot)
    Layer.follow_all(leads)


def _prefix(names: Sequence[str], ours: Sequence[str]) -> str:
    """What the names of the average begin with, as "module" where a class wraps the copy."""
    present, first = set(ours), names[0]
    dotted = [f".{name}" for name in ours]
    ends = {one[: len(one) - len(first)].strip(".") for one in dotted if one.endswith(f".{first}")}
    if not first:  # the model itself is the cell
        ends |= present
    fitting = [one for one in ends if all(_joined(one, name) in present for name in names)]
    if len(fitting) == 1:
        return fitting[0]
    missing = [name for name in names if name not in present]
    raise InvalidArgument(
        "follow: expected an average with the pruned cells of the model, wrapped with the same "
        f"arguments; it has no {', '.join(map(repr, missing))} among "
        f"{', '.join(map(repr, ours)) or 'its cells'}"
    )


def _joined(prefix: str, name: str) -> str:
    return ".".join(part for part in (prefix, name) if part)


def _check(name: str, ours: Slot, theirs: Slot) -> None:
    if ours == theirs:
        raise InvalidArgument("follow: expected an average of the model, got the model itself")
    if ours.weight is None or ours.weight.shape != theirs.weight.shape:
        got = "none" if ours.weight is None else tuple(ours.weight.shape)
        raise InvalidArgument(
            f"follow: cell {name!r}: expected a weight of the shape of the one that is followed, "
            f"{tuple(theirs.weight.shape)}, got {got}"
        )
