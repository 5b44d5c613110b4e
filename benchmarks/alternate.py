"""Several builds of the C++ benchmarks, run in turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from math import comb
from pathlib import Path

from native import run_rows

Values = dict[str, dict[str, list[float]]]
"""By row and by build: one value for each round."""


def in_turns(builds: Mapping[str, Path], rounds: int, key: str, *options: str) -> Values:
    """Runs the rows that `options` choose, each round in another order of the builds.

    Returns what the rows have under `key`, for rows that all builds have. "ratio" is work over
    floor, "work_us" the work alone: for builds whose floors differ. Both are medians of one run.
    """
    found: Values = {}
    names = list(builds)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            for row in run_rows(builds[name], *options):
                if key in row:
                    found.setdefault(row["name"], {}).setdefault(name, []).append(row[key])
    return {row: of for row, of in found.items() if set(of) == set(names)}


def median_interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the median, by order statistics: the k-th smallest and k-th largest value.

    The number of values below the median is binomial with p = 1/2, whatever their distribution.
    """
    ordered, n = sorted(values), len(values)
    k = 0
    while 2 * sum(comb(n, i) for i in range(k + 1)) <= 0.05 * 2**n:
        k += 1
    k = max(k - 1, 0)
    return ordered[k], ordered[n - 1 - k]


def paired(of: dict[str, list[float]], new: str, base: str) -> tuple[float, float, float]:
    """Median of new over base, pair by pair, and its interval."""
    ratios = [mine / its for mine, its in zip(of[new], of[base], strict=True)]
    return (statistics.median(ratios), *median_interval(ratios))
