"""The plain operations, each for one array or for a list of arrays.

An array is a numpy array (bfloat16: any whose dtype has that name) or an object with `__dlpack__`
or `__cuda_array_interface__`, of float16, bfloat16, float32 or float64, any shape; numpy arrays are
C-contiguous, others dense. Arrays of a CUDA device are worked on there, on the stream of their
framework; the masks of a call lie on the device of its arrays (`Mask.to`). docs/cuda.md.
A list is one operation: every level is decided before anything is written, and a call that raises
has changed nothing. Outputs of one call must not overlap. Results are equal bit for bit for any
number of `threads` (0: as many as OpenMP would use).

Errors: `InvalidType` for objects that are no arrays of these kinds, `InvalidArgument` for values
out of range, shapes that differ or read-only memory to be written, `UnreachableThreshold` where NaN
or Inf keep IterNonStruct from the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

import numpy as np

from prunecell import _core
from prunecell._core import InvalidType, Mask
from prunecell.arguments import parse_rule

Array = Any
T = TypeVar("T")


def _listed(items: T | Sequence[T]) -> tuple[list[T], bool]:
    """The items as a list, and whether they came as one."""
    if isinstance(items, (list, tuple)):
        return list(items), True
    return [items], False  # type: ignore[list-item]


def _masks(what: str, masks: Any) -> list[Mask]:
    found, _ = _listed(masks)
    for mask in found:
        if not isinstance(mask, Mask):
            kind = type(mask).__name__
            raise InvalidType(
                f"{what}: expected a Mask, got {kind}; Mask.from_array makes one of bools"
            )
    return found


def _rebuild(
    weights: Any, masks: Any, old: Any, rule: dict[str, Any], *, apply: bool, threads: int
) -> Any:
    arrays, many = _listed(weights)
    olds = [None] * len(arrays) if old is None else _masks("old", old)
    given = None if masks is None else _masks("out", masks)
    built, _ = _core.build_masks(arrays, given, olds, apply=apply, threads=threads, **rule)
    return built if many else built[0]


@overload
def build_mask(
    weights: Sequence[Array],
    *,
    filler: str = ...,
    threshold: float = ...,
    delta: float = ...,
    seed: int = ...,
    old: Sequence[Mask] | None = ...,
    out: Sequence[Mask] | None = ...,
    threads: int = ...,
) -> list[Mask]: ...
@overload
def build_mask(
    weights: Array,
    *,
    filler: str = ...,
    threshold: float = ...,
    delta: float = ...,
    seed: int = ...,
    old: Mask | None = ...,
    out: Mask | None = ...,
    threads: int = ...,
) -> Mask: ...
def build_mask(
    weights: Any,
    *,
    filler: str = "IterNonStruct",
    threshold: float = 0.2,
    delta: float = 0.001,
    seed: int = 0,
    old: Any = None,
    out: Any = None,
    threads: int = 0,
) -> Any:
    """Builds the masks that say which weights are pruned.

    Args:
        weights: One array or a list of them; read only.
        filler: "IterNonStruct" (all |w| <= k * delta for the smallest k that suffices), "Random",
            or "None" (nothing is pruned).
        threshold: Share of weights to prune, 0 to 1. Ties are pruned together: IterNonStruct may
            prune more.
        delta: Grid step of IterNonStruct, in units of the weights, > 0.
        seed: Seed of Random, 0 to 2**64 - 1. The number of an array in the list is part of the
            draw.
        old: Masks in force: what they prune counts as 0 (IterNonStruct) and stays pruned.
        out: Masks to write instead of new ones; may be `old`.
        threads: Number of threads at most; 0: as many as OpenMP would use.

    Returns:
        A `Mask`, or a list of them for a list.

    >>> import numpy as np
    >>> weights = np.array([0.3, -0.1, 0.05, -0.7], dtype=np.float32)
    >>> np.asarray(build_mask(weights, threshold=0.5, delta=0.01))
    array([ True, False, False,  True])
    """
    rule = parse_rule(filler, threshold, delta, seed)
    return _rebuild(weights, out, old, rule, apply=False, threads=threads)


def rebuild_and_apply(
    weights: Any,
    mask: Any = None,
    *,
    filler: str = "IterNonStruct",
    threshold: float = 0.2,
    delta: float = 0.001,
    seed: int = 0,
    threads: int = 0,
) -> Any:
    """Builds masks as `build_mask` does, and prunes the weights in place in the same pass.

    `mask`, where given, is the mask in force: it is read as `old` and overwritten.

    >>> import numpy as np
    >>> weights = np.array([0.3, -0.1, 0.05, -0.7], dtype=np.float32)
    >>> rebuild_and_apply(weights, threshold=0.5, delta=0.01)
    Mask(shape=(4,), zeros=2 of 4)
    >>> weights
    array([ 0.3,  0. ,  0. , -0.7], dtype=float32)
    """
    rule = parse_rule(filler, threshold, delta, seed)
    return _rebuild(weights, mask, mask, rule, apply=True, threads=threads)


def apply_mask(weights: Any, mask: Any, *, out: Any = None, threads: int = 0) -> Any:
    """Makes pruned weights +0: in place, or into `out` (same shape and dtype). Returns that.

    A select, not a product: NaN, Inf and -0 become +0 too, and kept weights keep their bits.

    >>> import numpy as np
    >>> weights = np.array([np.nan, -2.0], dtype=np.float32)
    >>> apply_mask(weights, Mask.from_array(np.array([False, True])))
    array([ 0., -2.], dtype=float32)
    """
    arrays, many = _listed(weights)
    outs = None if out is None else _listed(out)[0]
    _core.apply_masks(arrays, _masks("mask", mask), outs, threads=threads)
    written = arrays if outs is None else outs
    return written if many else written[0]


def pack_weights(weights: Array, mask: Mask, *, threads: int = 0) -> Array:
    """The kept weights as a new 1-D array, in row-major order; numpy for numpy, torch for torch.

    >>> import numpy as np
    >>> weights = np.array([3.0, 0.0, 5.0])
    >>> pack_weights(weights, Mask.from_array(weights != 0))
    array([3., 5.])
    """
    _masks("mask", mask)
    values = empty_like(weights, (mask.size - mask.zeros,))
    _core.pack_weights(weights, mask, values, threads=threads)
    return values


def unpack_weights(values: Array, mask: Mask, *, out: Array = None, threads: int = 0) -> Array:
    """The reverse of `pack_weights`: an array of the mask's shape, +0 where pruned.

    Args:
        values: 1-D, as many as the mask keeps.
        mask: The places of the values.
        out: Array to write instead of a new one, of the mask's shape and the values' dtype; not
            the memory of `values`.
        threads: Number of threads at most; 0: as many as OpenMP would use.
    """
    _masks("mask", mask)
    dense = empty_like(values, mask.shape) if out is None else out
    _core.unpack_weights(values, mask, dense, threads=threads)
    return dense


def empty_like(array: Array, shape: tuple[int, ...]) -> Array:
    """Uninitialized memory of the array's own kind and dtype."""
    if isinstance(array, np.ndarray):
        return np.empty(shape, dtype=array.dtype)
    if hasattr(array, "new_empty"):
        return array.new_empty(shape)
    if hasattr(array, "__array_namespace__"):  # CuPy
        return array.__array_namespace__().empty(shape, dtype=array.dtype, device=array.device)
    raise InvalidType(
        "expected a numpy array, a torch tensor or one of the array API standard to make one like "
        f"it, got {type(array).__name__}"
    )


def empty_twin(array: Array, shape: tuple[int, ...]) -> Array:
    """Uninitialized memory of the array's kind, dtype and order in memory; `shape` is its own."""
    if hasattr(array, "new_empty_strided"):
        return array.new_empty_strided(shape, array.stride())
    return empty_like(array, shape)


def count_zeros(weights: Any, *, threads: int = 0) -> Any:
    """Number of weights that are +0 or -0, or that a `Mask` prunes. A list for a list.

    >>> import numpy as np
    >>> count_zeros(np.array([0.0, -0.0, 1.0]))
    2
    """
    items, many = _listed(weights)
    arrays = [item for item in items if not isinstance(item, Mask)]
    counted = iter(_core.count_zeros(arrays, threads=threads))
    counts = [item.zeros if isinstance(item, Mask) else next(counted) for item in items]
    return counts if many else counts[0]
