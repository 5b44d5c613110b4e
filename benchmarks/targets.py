"""What every operation is to cost, and which rows of the results say what it does cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Results = dict[str, dict[str, Any]]
"""The newest file of each suite, by its name."""

MIB = 1 << 20


@dataclass(frozen=True)
class Target:
    """Rows of one suite, the number of a row that counts, and its limits."""

    work: str
    suite: str
    belongs: Callable[[Row], bool]
    measured: Callable[[Row], float]
    target: float
    reaching: float
    unit: str
    groups: tuple[str, ...] = ()
    """Groups of the rows, where the number is a ratio of the C++ program."""

    def rows(self, results: Results) -> list[tuple[float, Row]]:
        """Measured numbers with their rows, the worst last."""
        rows = results.get(self.suite, {"rows": []})["rows"]
        found = [(self.measured(row), row) for row in rows if self.belongs(row)]
        return sorted(found, key=lambda pair: pair[0])


def kernel(
    work: str, groups: str, target: float, reaching: float, unit: str, *, key: str = "ratio"
) -> Target:
    """A target on rows of the C++ program, by the words of their groups."""
    wanted = groups.split()
    return Target(
        work,
        "kernels",
        lambda row: row.get("group") in wanted,
        lambda row: row[key],
        target,
        reaching,
        unit,
        tuple(wanted) if key == "ratio" else (),
    )


def call(work: str, cells: int, kinds: str, target: float, reaching: float) -> Target:
    return Target(
        work,
        "calls",
        lambda row: row["cells"] == cells and row["kind"] in kinds.split(","),
        lambda row: row["over_native_us"],
        target,
        reaching,
        "us",
    )


def training(
    work: str, kind: str, target: float, reaching: float, network: str | None = None
) -> Target:
    """A target on one network, or on all of them."""
    return Target(
        work,
        "training",
        lambda row: network in (None, row["network"]),
        lambda row: 100 * row[f"{kind}_overhead"],
        target,
        reaching,
        "%",
    )


def memory(work: str, groups: str) -> Target:
    """A new mask of 2^24 weights before its commit, and 4 MiB."""
    return kernel(work, groups, (1 << 24) / 8 / MIB + 4, 4, "MiB", key="peak_mib")


READ, SCALE = "x read", "x scale"

TARGETS = [
    kernel("rebuild, float32", "rebuild", 1.8, 1.25, READ),
    kernel("rebuild, float16, bfloat16, float64", "rebuild_types", 2.5, 1.5, READ),
    kernel("rebuild, adversarial data", "adversarial", 4, 2.5, READ),
    kernel("rebuild and apply in place, fused", "fused fused_rise", 1.5, 1.2, SCALE),
    kernel("apply in place", "apply apply_again", 1.15, 1.05, SCALE),
    kernel("rebuild in the cache, 2^20 weights", "rebuild_cached", 4, 2.5, READ),
    kernel("rebuild, 2^16 weights", "rebuild_65536", 40, 20, "us", key="work_us"),
    kernel("rebuild, 2^12 weights", "rebuild_4096", 6, 3, "us", key="work_us"),
    kernel("54 tensors of ResNet-50 in one call", "network", 1.3, 1.1, "x one tensor"),
    call("Python over C++, one cell", 1, "numpy,torch", 3, 1.5),
    call("Python over C++, 50 tensors in one call", 50, "numpy,torch,torch model", 20, 10),
    kernel("Random rebuild at any threshold", "random", 8, 4, READ),
    kernel("rebuild, all cores busy", "busy", 4, 2, "x quiet thread", key="over_quiet"),
    memory(
        "extra memory at the peak of a rebuild",
        "memory memory_rise memory_random memory_random_rise",
    ),
    training("training step, masks attached, LeNet", "steady", 3, 2, "LeNet"),
    training("training step, masks attached, ResNet-18", "steady", 1, 0.5, "ResNet-18"),
    training("training step in which masks rise", "rise", 10, 5),
]
