"""docs/performance.md and its plots, from the newest file of results of each suite alone.

python benchmarks/page.py [--results FOLDER] [--docs FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from string import Template

from targets import TARGETS, Results, Row, Target

HERE = Path(__file__).resolve().parent
SUITES = ("kernels", "calls", "training", "peers")
SIGMA = 0.05  # standard deviation of the weights, in cpp/data.hpp
DISTURBED = 0.5  # share of timings that another program interrupted


def newest_files(folder: Path) -> dict[str, Path]:
    """The newest file of each suite that has results."""
    found = {suite: max(folder.glob(f"????-??-??-{suite}.json"), default=None) for suite in SUITES}
    return {suite: path for suite, path in found.items() if path is not None}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    return (
        f"{value:.2f}"
        if abs(value) < 10
        else f"{value:.1f}"
        if abs(value) < 100
        else f"{value:.0f}"
    )


def name_of(row: Row) -> str:
    """The fields that tell a row from the others of its target."""
    if "network" in row:
        return f"{row['network']}, {threads_of(row)}"
    if "call" in row:
        return f"{row['kind']} {row['call']}"
    size = (
        f"2^{row['size'].bit_length() - 1}" if row["size"] & (row["size"] - 1) == 0 else row["size"]
    )
    shown = [row["group"], row["data"], row["dtype"], str(size), f"t={row['threshold']}"]
    return ", ".join([*shown, f"delta={row['delta']:g}", threads_of(row)])


def threads_of(row: Row) -> str:
    return f"{row['threads']} thread" + ("s" if row["threads"] > 1 else "")


# The parts of the page


def sources(results: Results, files: dict[str, Path], docs: Path) -> str:
    lines = []
    for suite, report in results.items():
        link = os.path.relpath(files[suite], docs)
        quick = ", a quick run" if report.get("extent") == "quick" else ""
        changed = ", with changes that are not committed" if report["dirty"] else ""
        lines.append(
            f"- [{suite}]({link}): {report['date']}{quick}, commit {report['commit']}{changed}, "
            f"{report['cpu']}, {report['cores']} cores, {report['compiler']}, "
            f"load average {report['load_average'][0]} at the start"
        )
    return "\n".join(lines)


def verdict(target: Target, worst: float, median: float) -> str:
    if worst <= target.reaching:
        return "reached"
    if worst <= target.target:
        return "met"
    return "met by the median, missed by the worst" if median <= target.target else "missed"


def target_table(results: Results) -> str:
    rows = []
    for target in TARGETS:
        found = target.rows(results)
        limits = [f"{number(target.target)} {target.unit}", number(target.reaching)]
        if not found:
            rows.append([target.work, *limits, "-", "-", "not measured"])
            continue
        median, (worst, row) = found[len(found) // 2][0], found[-1]
        measured = [number(median), f"{number(worst)} ({name_of(row)})"]
        rows.append([target.work, *limits, *measured, verdict(target, worst, median)])
    head = ["work", "target", "reaching for", "median row", "worst row", "verdict"]
    return table(head, rows)


def disturbed(results: Results) -> str:
    rows = [row for row in results.get("kernels", {"rows": []})["rows"] if "disturbed" in row]
    noisy = [row for row in rows if row["disturbed"] > DISTURBED]
    counted = f"{len(noisy)} of {len(rows)}" if noisy else f"None of {len(rows)}"
    return f"{counted} rows had more than half of their timings disturbed by other programs."


def losses(results: Results) -> str:
    lines = []
    for target in TARGETS:
        found = target.rows(results)
        missed = [value for value, _ in found if value > target.target]
        if missed:
            lines.append(
                f"- {target.work}: {len(missed)} of {len(found)} rows above "
                f"{number(target.target)} {target.unit}, the worst at {number(missed[-1])}."
            )
    for row in results.get("peers", {"rows": []})["rows"]:
        # We are listed among the peers ourselves, by chance a little faster.
        if row.get("times_ours", 2) < 1 and not row["peer"].startswith("prunecell"):
            lines.append(f"- {row['peer']} with {threads_of(row)} is faster than we are.")
    return "\n".join(lines) or "Nowhere on this page: every row of every target is met."


def levels(results: Results) -> str:
    """Steps of the smallest delta up to 90 % of the normal weights."""
    rows = results.get("kernels", {"rows": []})["rows"]
    deltas = [row["delta"] for row in rows if row.get("group") == "rebuild"]
    return f"about {1.645 * SIGMA / min(deltas):,.0f}" if deltas else "many"


def bound(results: Results) -> str:
    """How near rows with a bound besides their yardstick are to it."""
    rows = [row for row in results.get("kernels", {"rows": []})["rows"] if "over_bound" in row]
    if not rows:
        return "not measured"
    in_scales = statistics.median(row["bound_us"] / row["floor_us"] for row in rows)
    over = [row["over_bound"] for row in rows]
    return (
        f"{number(in_scales)} x scale in the median; the operation takes "
        f"{number(statistics.median(over))} of that in the median, {number(max(over))} in the "
        "worst row"
    )


def peers(results: Results) -> str:
    if "peers" not in results:
        return "`make bench-peers` was not run."
    report = results["peers"]
    timed = sorted(
        (row for row in report["rows"] if "us" in row), key=lambda row: (row["threads"], row["us"])
    )
    rows = [
        [
            row["peer"],
            str(row["threads"]),
            f"{row['us'] / 1000:,.1f}",
            number(row["times_read"]),
            number(row["times_ours"]),
            row["result"],
        ]
        for row in timed
    ]
    absent = [f"- {row['peer']}: {row['absent']}" for row in report["rows"] if "absent" in row]
    head = ["", "threads", "ms", "x one read", "x our time", "result"]
    parts = [
        "2^24 float32 normal weights, 90 %, delta 0.001, as users call it from Python.",
        "![time over one read, of everyone](performance/peers.svg)",
        table(head, rows),
        "Not measured:\n\n" + "\n".join(absent) if absent else "",
    ]
    return "\n\n".join(part for part in parts if part)


def render(results: Results, files: dict[str, Path], docs: Path) -> str:
    text = Template((HERE / "performance.md.in").read_text())
    return text.substitute(
        sources=sources(results, files, docs),
        targets=target_table(results),
        disturbed=disturbed(results),
        losses=losses(results),
        levels=levels(results),
        bound=bound(results),
        peers=peers(results),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    files = newest_files(options.results)
    results = {suite: json.loads(path.read_text()) for suite, path in files.items()}
    from plots import draw_all  # needs matplotlib, the text does not

    draw_all(results, options.docs / "performance")
    page = options.docs / "performance.md"
    page.write_text(render(results, files, options.docs))
    print(page)


if __name__ == "__main__":
    main()
