"""Pruning one tensor by the native core, whatever its element type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell import ops
from prunecell._core import build_masks
from prunecell.cli.plan import Rule
from prunecell.formats.stored import Stored

_FAR = 0.05  # share of weights pruned beyond the threshold from which a warning is due


@dataclass(frozen=True)
class Pruned:
    """The result of pruning one tensor.

    Attributes:
        asked: The share that was asked for.
        zeros: Number of pruned weights.
        level: Level of the mask.
        tied: Whether `ties="keep"` kept all weights because all would have been pruned.
        overshoot: Share of the weights that a finer step would have kept; 0 if it is at most _FAR.
    """

    asked: float
    zeros: int
    level: int
    tied: bool = False
    overshoot: float = 0.0


def prune(tensor: Stored, rule: Rule) -> Pruned:
    """Prunes a tensor in place.

    Raises:
        UnreachableThreshold: NaN or Inf keep the tensor from the threshold; nothing is changed.
    """
    if rule.filler == "None":
        return Pruned(0.0, int(np.count_nonzero(tensor.bits == 0)), 0)
    values = tensor.floats()
    (mask,), (result,) = build_masks(
        [values],
        None,
        [None],
        filler=rule.filler,
        threshold=rule.threshold,
        delta=rule.delta,
        seed=rule.seed,
        apply=False,
        ties=rule.ties,
    )
    overshoot = _overshoot(values, result.need, mask.zeros)
    ops.apply_mask(_movable(tensor), mask)
    return Pruned(rule.threshold, mask.zeros, result.level, result.tied, overshoot)


def _overshoot(values: NDArray[Any], need: int, zeros: int) -> float:
    """Share pruned beyond the finest step, which prunes ties and earlier zeros as well; or 0."""
    if zeros - need <= _FAR * values.size:  # the usual case, without a partition
        return 0.0
    magnitudes = np.abs(values.ravel())
    limit = np.partition(magnitudes, need - 1)[need - 1] if need else 0.0
    share = (zeros - int(np.count_nonzero(magnitudes <= limit))) / values.size
    return share if share > _FAR else 0.0


def _movable(tensor: Stored) -> NDArray[Any]:
    """The memory of the tensor as floats of its width: kept weights keep their bits anyway."""
    if tensor.dtype.numpy_name == "bfloat16":
        return tensor.bits.view(np.float16).reshape(tensor.shape)
    return tensor.numpy()
