"""Weights before and after, counted in the same bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 41  # odd: the middle one holds what is near 0
_INSIDE = 0.998  # share of the weights that the bins cover; a few far ones would squeeze the others


@dataclass(frozen=True)
class Histograms:
    """Counts of weights from -limit to limit; those outside count in the first and last bin.

    Attributes:
        limit: Half of the range.
        before: All weights before training.
        after: Weights that are not exactly 0 after it.
        zeros: Weights that are, after it.
    """

    limit: float
    before: list[int]
    after: list[int]
    zeros: int

    @property
    def size(self) -> int:
        """All weights."""
        return sum(self.after) + self.zeros


def histograms(before: NDArray[Any], after: NDArray[Any]) -> Histograms:
    """Counts two states of one tensor. Weights that are not finite are left out."""
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
