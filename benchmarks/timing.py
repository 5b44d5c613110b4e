"""Times of several things in turn, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

REPEATS = 2  # repeats of a timing in which the processor was taken away
HOPELESS = 1.0  # seconds: a longer timing is hardly ever left alone


def preemptions() -> int:
    """Times that the system took the processor away from a thread of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


@dataclass
class Timed:
    """Something to time: `prepare` runs before each timing and its result is what `work` gets."""

    work: Callable[..., object]
    prepare: Callable[[], tuple[object, ...]] = tuple
    calls: int = 1
    seconds: list[float] = field(default_factory=list)
    disturbed: int = 0

    def once(self) -> None:
        """One timing, repeated where other programs had the processor meanwhile, up to a limit."""
        for _ in range(1 + REPEATS):
            arguments = self.prepare()
            before, start = preemptions(), time.perf_counter()
            for _ in range(self.calls):
                self.work(*arguments)
            taken = time.perf_counter() - start
            disturbed = preemptions() != before
            if not disturbed or taken > HOPELESS:
                break
        self.seconds.append(taken / self.calls)
        self.disturbed += disturbed

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def over(self, other: Timed) -> float:
        """Median of ratios to the neighbouring timing: a machine that changes changes both."""
        ratios = (mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))
        return statistics.median(ratios)

    def figures(self) -> dict[str, float]:
        """Median and spread in microseconds."""
        ordered = sorted(self.seconds)
        last = len(ordered) - 1
        return {
            "us": 1e6 * self.median,
            "p10_us": 1e6 * ordered[round(0.1 * last)],
            "p90_us": 1e6 * ordered[round(0.9 * last)],
            "rounds": len(ordered),
            "disturbed": self.disturbed / len(ordered),
        }


def in_turns(things: Mapping[str, Timed], rounds: int) -> None:
    """Every thing once without being counted, then all of them `rounds` times."""
    for one in things.values():
        one.work(*one.prepare())
    for _ in range(rounds):
        for one in things.values():
            one.once()
