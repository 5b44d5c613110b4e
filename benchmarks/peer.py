"""A peer: its work on the weights, and how its answer is read.

A peer is a function of the weights, a float32 array of SHAPE, the floor and the number of threads,
that returns a `Job`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = (4096, 4096)
THRESHOLD, DELTA = 0.9, 1e-3
SIGMA = 0.05  # 90 % of the weights are then 83 steps of DELTA

Weights = NDArray[np.float32]
Mask = NDArray[np.bool_]
"""True where a weight is kept."""


@dataclass
class Job:
    """`work` gets what `prepare` returns and gives an answer; `prepare` is not timed."""

    work: Callable[..., Any]
    kept: Callable[[Any], Mask] | None = None
    """The answer as a mask."""
    value: Callable[[Any], float] | None = None
    """The answer as the largest magnitude pruned, where there is no mask."""
    prepare: Callable[[], tuple[Any, ...]] = tuple
    random: bool = False
    note: str = ""
    """What else is to be said of the result."""


def need(size: int) -> int:
    """Weights that are to be pruned."""
    return int(np.ceil(np.float64(np.float32(THRESHOLD)) * size))


def describe(job: Job, answer: Any, weights: Weights, ours: Mask) -> str:
    """What kind of result it is. Raises SystemExit for one that is none of those known."""
    magnitudes = np.abs(weights.reshape(-1))
    if job.kept is None and job.value is not None:
        share = np.mean(magnitudes <= np.float32(job.value(answer)))
        if abs(share - THRESHOLD) < 1e-6:
            return "the magnitude alone, no mask" + job.note
        raise SystemExit(f"a magnitude that prunes {share:.7%}")
    kept = job.kept(answer).reshape(-1) if job.kept is not None else np.empty(0, bool)
    pruned = np.count_nonzero(~kept) / kept.size
    if np.array_equal(kept, ours.reshape(-1)):
        return "the same mask"
    if abs(pruned - THRESHOLD) > 1e-6:
        raise SystemExit(f"a mask that prunes {pruned:.7%}")
    if job.random:
        return "90 % at random"
    if magnitudes[~kept].max() <= magnitudes[kept].min():
        return "exactly 90 %, no grid"
    raise SystemExit("a mask that prunes larger weights than it keeps")
