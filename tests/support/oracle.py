"""The definitions of docs/semantics.md, computed by sorting and exact arithmetic.

It is slow and plain on purpose, and shares no code with the library. Masks are arrays of bool, True
where kept, in the shape of the weights. `f32(x)` of the page is `np.float32(x)`.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[Any]
Kept = NDArray[np.bool_]
MAX_LEVEL = 2**63 - 1


class UnreachableError(Exception):
    """No level prunes enough weights."""

    def __init__(self, need: int, reachable: int, nan: int, inf: int, finite: int) -> None:
        super().__init__(f"{need=} {reachable=} {nan=} {inf=} {finite=}")
        self.need, self.reachable = need, reachable
        self.nan, self.inf, self.finite = nan, inf, finite


def f32_of_int(k: int) -> np.float32:
    """The nearest float32, ties to even, rounded once (Python would round to double before)."""
    excess = max(k.bit_length() - 24, 0)
    head, rest = k >> excess, k & ((1 << excess) - 1)
    half = (1 << excess) >> 1
    if rest > half or (rest == half > 0 and head & 1):
        head += 1
    return np.float32(np.ldexp(np.float32(head), excess))


def limit(delta: float, k: int) -> np.float32:
    """L(k) = f32(d * f32(k))."""
    with np.errstate(over="ignore"):
        return np.float32(delta) * f32_of_int(k)


def need(n: int, threshold: float) -> int:
    """Smallest c whose share of n reaches the threshold."""
    t = np.float32(threshold)
    if n == 0:
        return 0

    def share_reaches(c: int) -> bool:
        if n < 2**24:
            return bool(np.float32(c) / np.float32(n) >= t)
        return bool(np.float64(c) / np.float64(n) >= np.float64(t))

    return bisect.bisect_left(range(n + 1), True, key=share_reaches)


def magnitudes(weights: Weights) -> NDArray[Any]:
    """|w|, flat, in the type that is compared: float64 for itself, float32 for the others."""
    wide = np.float64 if weights.dtype == np.float64 else np.float32
    with np.errstate(invalid="ignore"):
        return np.abs(weights.astype(wide).reshape(-1))


def within(mags: NDArray[Any], bound: np.float32) -> Kept:
    """|w| <= L, which NaN never is."""
    with np.errstate(invalid="ignore"):
        return mags <= mags.dtype.type(bound)


def smallest_level(value: Any, delta: float) -> int | None:
    """Smallest k >= 1 with value <= L(k), by bisection: L never falls."""

    def reaches(k: int) -> bool:
        return bool(float(limit(delta, k)) >= float(value))

    if not reaches(MAX_LEVEL):
        return None
    return 1 + bisect.bisect_left(range(1, MAX_LEVEL), True, key=reaches)


@dataclass
class Decision:
    """A mask with the figures of its making."""

    kept: Kept
    need: int
    level: int = 0

    @property
    def zeros(self) -> int:
        return int(self.kept.size - np.count_nonzero(self.kept))


def iter_nonstruct(
    weights: Weights, threshold: float, delta: float, old: Kept | None = None
) -> Decision:
    """Section 1 of the page."""
    mags = magnitudes(weights)
    if old is not None:
        mags = np.where(old.reshape(-1), mags, mags.dtype.type(0))
    wanted = need(mags.size, threshold)
    level = 0
    if wanted > 0:
        deciding = np.sort(mags)[wanted - 1]  # NaN sort last
        found = None if np.isnan(deciding) else smallest_level(deciding, delta)
        if found is None:
            raise _unreachable(mags, wanted, delta)
        level = found
    kept = ~within(mags, limit(delta, level)) if mags.size else np.ones(0, dtype=bool)
    return Decision(kept.reshape(weights.shape), wanted, level)


def _unreachable(mags: NDArray[Any], wanted: int, delta: float) -> UnreachableError:
    inside = within(mags, limit(delta, MAX_LEVEL))
    outside = mags[~inside]
    nan, inf = int(np.isnan(outside).sum()), int((outside > np.finfo(np.float32).max).sum())
    return UnreachableError(wanted, int(inside.sum()), nan, inf, outside.size - nan - inf)


def philox4x32(counter: tuple[Any, ...], key: tuple[int, int]) -> tuple[Any, ...]:
    """Ten rounds of Philox4x32 (Salmon et al., SC 2011, section 4.3) over arrays of counters."""
    low = np.uint64(0xFFFFFFFF)
    x0, x1, x2, x3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(10):
        product0, product2 = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        high0, high2 = product0 >> np.uint64(32), product2 >> np.uint64(32)
        x0, x1 = high2 ^ x1 ^ np.uint64(k0), product2 & low
        x2, x3 = high0 ^ x3 ^ np.uint64(k1), product0 & low
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return x0, x1, x2, x3


def random_keys(n: int, seed: int, tensor: int = 0, rise: int = 0) -> NDArray[np.uint64]:
    """Key of each element: word i mod 4 of the block i div 4."""
    block = np.arange((n + 3) // 4, dtype=np.uint64)
    halves = (block & np.uint64(0xFFFFFFFF), block >> np.uint64(32))
    fixed = [np.full(block.shape, value, dtype=np.uint64) for value in (tensor, rise)]
    words = philox4x32((*halves, *fixed), (seed % 2**32, seed >> 32))
    return np.stack(words, axis=1).reshape(-1)[:n]


def random(
    shape: tuple[int, ...],
    threshold: float,
    seed: int,
    *,
    tensor: int = 0,
    rise: int = 0,
    old: Kept | None = None,
) -> Decision:
    """Section 2 of the page."""
    n = int(np.prod(shape, dtype=np.int64))
    kept = np.ones(n, dtype=bool) if old is None else old.reshape(-1).copy()
    wanted = need(n, threshold)
    missing = max(wanted - int(n - kept.sum()), 0)
    candidates = np.flatnonzero(kept)
    keys = random_keys(n, seed, tensor, rise)[candidates]
    kept[candidates[np.argsort(keys, kind="stable")[:missing]]] = False
    return Decision(kept.reshape(shape), wanted)


def applied(weights: Weights, kept: Kept) -> Weights:
    """Section 4: a select with +0."""
    out = weights.copy()
    out[~kept] = 0
    return out


def derive_seed(seed: int, name: str) -> int:
    """FNV-1a of the name, mixed with the seed by the finalizer of SplitMix64."""
    digest = 0xCBF29CE484222325
    for byte in name.encode():
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    z = seed ^ digest
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


@dataclass
class Schedule:
    """Section 5. `update` and `end_epoch` say whether the masks are to be rebuilt."""

    mode: str = "Identity"
    threshold: float = 0.2
    start: float = 0.1
    stepsize: int = 0
    gamma: float = 0.05
    current: np.float32 = field(init=False)
    rises: int = 0
    counter: int = 0

    def __post_init__(self) -> None:
        shares = {"Identity": 0, "Static": self.threshold, "Gradual": self.start}
        self.current = np.float32(shares[self.mode])

    def update(self, batch_size: int) -> bool:
        if self.mode != "Gradual" or self.stepsize == 0:
            return False
        self.counter += batch_size
        if self.counter < self.stepsize:
            return False
        self.counter -= self.stepsize
        return self._rise()

    def end_epoch(self) -> bool:
        return self.mode == "Gradual" and self.stepsize == 0 and self._rise()

    def _rise(self) -> bool:
        goal = np.float32(self.threshold)
        if self.current >= goal:
            return False
        self.current = self.current + np.float32(self.gamma)
        # Exact rationals: nothing but the float32 sum may round here.
        if Fraction(float(goal)) - Fraction(float(self.current)) < Fraction(1e-6):
            self.current = goal
        self.rises += 1
        return True


@dataclass
class Cell:
    """A PruneCell over its own `weights`, which the caller writes as training would."""

    schedule: Schedule
    filler: str
    weights: list[Weights]
    delta: float = 0.001
    in_place: bool = True
    seed: int = 0
    kept: list[Kept] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def initialize(self) -> None:
        self.kept = [np.ones(w.shape, dtype=bool) for w in self.weights]
        self.levels = [0] * len(self.weights)
        if self.schedule.mode != "Identity":
            self._rebuild(first=True)
        self._enforce()

    def update(self, batch_size: int) -> None:
        if self.schedule.update(batch_size):
            self._rebuild()
        self._enforce()

    def end_epoch(self) -> None:
        if self.schedule.end_epoch():
            self._rebuild()
        self._enforce()

    def pruned(self, index: int) -> Weights:
        return applied(self.weights[index], self.kept[index])

    def _rebuild(self, *, first: bool = False) -> None:
        share = float(self.schedule.current)
        for t, weights in enumerate(self.weights):
            old = None if first else self.kept[t]
            if self.filler == "IterNonStruct":
                made = iter_nonstruct(weights, share, self.delta, old if self.in_place else None)
            elif self.filler == "Random":
                place = {"tensor": t, "rise": self.schedule.rises}
                made = random(weights.shape, share, self.seed, old=old, **place)
            else:
                continue
            self.kept[t], self.levels[t] = made.kept, made.level

    def _enforce(self) -> None:
        if self.in_place:
            for t, weights in enumerate(self.weights):
                weights[~self.kept[t]] = 0
