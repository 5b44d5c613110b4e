"""Histograms of weights before and after training, over the same bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 41  # odd, so that the middle bin holds the weights near 0
_INSIDE = 0.998  # share of the weights that the bins cover; outliers would squeeze the others


@dataclass(frozen=True)
class Histograms:
    """Counts of weights from -limit to limit; those outside count in the first and last bin.

    Attributes:
        limit: Half of the range.
        before: Counts of all weights before training.
        after: Counts of the weights that are not exactly 0 after training.
        zeros: Number of weights that are exactly 0 after training.
    """

    limit: float
    before: list[int]
    after: list[int]
    zeros: int

    @property
    def size(self) -> int:
        """The number of all weights."""
        return sum(self.after) + self.zeros


def histograms(before: NDArray[Any], after: NDArray[Any]) -> Histograms:
    """Histograms of two states of one tensor, without weights that are not finite."""
    old, new = (_finite(weights) for weights in (before, after))
    kept = new[new != 0]
    limit = max(_reach(old), _reach(kept)) or 1.0
    counts = [
        np.histogram(np.clip(weights, -limit, limit), BINS, (-limit, limit))[0].tolist()
        for weights in (old, kept)
    ]
    return Histograms(limit, counts[0], counts[1], int(new.size - kept.size))


def _finite(weights: NDArray[Any]) -> NDArray[np.float64]:
    flat = weights.reshape(-1).astype(np.float64)
    return flat[np.isfinite(flat)]


def _reach(weights: NDArray[np.float64]) -> float:
    return float(np.quantile(np.abs(weights), _INSIDE)) if weights.size else 0.0
