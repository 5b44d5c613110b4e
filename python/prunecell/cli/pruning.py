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


@dataclass(frozen=True)
class Pruned:
    """What came of it: zeros of the mask, its level, the share that was asked for."""

    asked: float
    zeros: int
    level: int


def prune(tensor: Stored, rule: Rule) -> Pruned:
    """Prunes in place.

    Raises:
        UnreachableThreshold: NaN or Inf keep the tensor from the threshold; nothing is changed.
    """
    if rule.filler == "None":
        return Pruned(0.0, int(np.count_nonzero(tensor.bits == 0)), 0)
    (mask,), (result,) = build_masks(
        [_values(tensor)],
        None,
        [None],
        filler=rule.filler,
        threshold=rule.threshold,
        delta=rule.delta,
        seed=rule.seed,
        apply=False,
    )
    ops.apply_mask(_movable(tensor), mask)
    return Pruned(rule.threshold, mask.zeros, result.level)


def _values(tensor: Stored) -> NDArray[Any]:
    """The weights in a type that numpy has: every bfloat16 is a float32, exactly."""
    if tensor.dtype.numpy_name == "bfloat16":
        wide = tensor.bits.astype(np.uint32) << np.uint32(16)
        values: NDArray[Any] = wide.view(np.float32).reshape(tensor.shape)
        return values
    return tensor.numpy()


def _movable(tensor: Stored) -> NDArray[Any]:
    """The memory of the tensor as floats of its width: what is kept keeps its bits anyway."""
    if tensor.dtype.numpy_name == "bfloat16":
        return tensor.bits.view(np.float16).reshape(tensor.shape)
    return tensor.numpy()
