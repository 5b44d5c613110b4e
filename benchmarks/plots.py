"""The plots of docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

Row = dict[str, Any]
Rows = list[Row]

STYLE = {
    "svg.hashsalt": "prunecell",  # equal results give equal files
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 9,
    "legend.frameon": False,
}


def chosen(rows: Rows, **fields: Any) -> Rows:
    return [row for row in rows if all(row.get(key) == value for key, value in fields.items())]


def line(axes: Any, rows: Rows, x: Callable[[Row], float], label: str, **style: Any) -> None:
    """Ratios with their spread: the work's 10th and 90th percentile over the floor's median."""
    rows = sorted(rows, key=x)
    at = [x(row) for row in rows]
    drawn = axes.plot(at, [row["ratio"] for row in rows], marker="o", ms=3, label=label, **style)
    low = [row["work_p10_us"] / row["floor_us"] for row in rows]
    high = [row["work_p90_us"] / row["floor_us"] for row in rows]
    axes.fill_between(at, low, high, color=drawn[0].get_color(), alpha=0.15, lw=0)


def save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_size(rows: Rows, path: Path) -> None:
    """The time, which is to be a straight line, and the ratio to the floor."""
    figure, (time, ratio) = plt.subplots(1, 2, figsize=(9, 3.6))
    of_size = chosen(rows, group="size")
    for threads in sorted({row["threads"] for row in of_size}):
        for dtype, dashes in (("float32", "-"), ("float16", "--")):
            found = sorted(chosen(of_size, threads=threads, dtype=dtype), key=size)
            if not found:
                continue
            label = f"{dtype}, {threads} thread{'s' if threads > 1 else ''}"
            line(ratio, found, size, label, ls=dashes)
            color = ratio.get_lines()[-1].get_color()
            sizes = [size(row) for row in found]
            time.plot(sizes, [row["work_us"] for row in found], dashes, marker="o", ms=3, c=color)
            time.plot(sizes, [row["floor_us"] for row in found], ":", color=color)
    time.set(xlabel="weights", ylabel="us (dotted: one read)", yscale="log")
    ratio.set(xlabel="weights", ylabel="time / one read", yscale="log")
    ratio.axhline(1, color="black", lw=0.8)
    for axes in (time, ratio):
        axes.set_xscale("log", base=2)
    if of_size:
        ratio.legend()
    save(figure, path)


def size(row: Row) -> int:
    found: int = row["size"]
    return found


def draw_level(rows: Rows, path: Path) -> None:
    found = [row for row in chosen(rows, group="rebuild", threads=1) if row["size"] == 1 << 24]
    kinds = list(dict.fromkeys(row["data"] for row in found))
    figure, all_axes = plt.subplots(
        1, max(len(kinds), 1), figsize=(9, 3.2), sharey=True, squeeze=False
    )
    for axes, data in zip(all_axes[0], kinds, strict=False):
        for threshold in sorted({row["threshold"] for row in found}):
            one = chosen(found, data=data, threshold=threshold)
            line(axes, one, lambda row: row["delta"], f"{threshold:.0%}")
        axes.axhline(1, color="black", lw=0.8)
        axes.set(title=data, xlabel="delta", xscale="log", ylim=(0, None))
        axes.invert_xaxis()
    all_axes[0][0].set_ylabel("time / one read")
    all_axes[0][-1].legend(title="pruned")
    save(figure, path)


def draw_threads(rows: Rows, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(5, 3.4))
    works = {
        "rebuild": "rebuild",
        "rebuild and apply": "fused",
        "apply": "apply",
        "Random": "random",
    }
    common = {"data": "normal", "dtype": "float32", "size": 1 << 24, "threshold": 0.9}
    for label, group in works.items():
        found = sorted(
            chosen(rows, group=group, delta=0.001, **common), key=lambda row: row["threads"]
        )
        if found:
            speed = [found[0]["work_us"] / row["work_us"] for row in found]
            axes.plot([row["threads"] for row in found], speed, marker="o", ms=4, label=label)
        if found and group == "rebuild":
            speed = [found[0]["floor_us"] / row["floor_us"] for row in found]
            axes.plot([row["threads"] for row in found], speed, "k--", label="one read")
    axes.set(xlabel="threads", ylabel="times as fast as one thread", ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    save(figure, path)


def draw_peers(rows: Rows, path: Path) -> None:
    timed = sorted(
        (row for row in chosen(rows, threads=1) if "us" in row), key=lambda row: -row["us"]
    )
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.28 * len(timed)))
    colors = ["tab:orange" if row["peer"] == "prunecell" else "tab:blue" for row in timed]
    bars = axes.barh(
        [row["peer"] for row in timed], [row["times_read"] for row in timed], color=colors
    )
    axes.bar_label(bars, [f"{row['times_read']:.3g}" for row in timed], padding=3, fontsize=8)
    axes.set(xscale="log", xlabel="time / one read, one thread")
    axes.margins(x=0.1)
    save(figure, path)


def draw_all(results: dict[str, dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        if "kernels" in results:
            rows = [row for row in results["kernels"]["rows"] if "ratio" in row]
            draw_size(rows, folder / "size.svg")
            draw_level(rows, folder / "level.svg")
            draw_threads(rows, folder / "threads.svg")
        if "peers" in results:
            draw_peers(results["peers"]["rows"], folder / "peers.svg")
