"""All of our own benchmarks, then the page of them: what `make bench` runs.

    python benchmarks/run.py --native .../prunecell_benchmarks [--quick]

A full run writes benchmarks/results/<date>-<suite>.json and docs/performance.md. A quick one takes
a few rows and rounds of each and leaves both alone: it writes to build/bench-quick.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GIB = 1 << 30


def run(program: str, *arguments: str) -> None:
    print(f"== {program} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, str(HERE / program), *arguments], check=True)


def largest_size() -> int:
    """Largest size of the rows, as a power of two: 2 bytes per weight in half of the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 32 if memory >= 20 * GIB else 30 if memory >= 8 * GIB else 28


def thread_counts() -> list[str]:
    """1, 2, 4 and so on, up to the processors that this process may use."""
    usable = len(os.sched_getaffinity(0))
    powers = [1 << exponent for exponent in range(usable.bit_length())]
    return [str(count) for count in sorted({*powers, usable})]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--native", required=True, help="the C++ benchmarks")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    out = ROOT / "build" / "bench-quick" if options.quick else HERE / "results"
    out.mkdir(parents=True, exist_ok=True)
    quick = ["--quick"] if options.quick else []
    threads = ["--threads", *thread_counts()]

    def suite(name: str, *arguments: str) -> None:
        run(f"{name}.py", "-o", str(out / f"{date.today().isoformat()}-{name}.json"), *arguments)

    top = str(25 if options.quick else largest_size())
    suite("kernels", "--native", options.native, "--top", top, *threads, *quick)
    suite("calls", "--native", options.native, "--rounds", "21" if options.quick else "101")
    suite("training", *threads, *quick)
    run("page.py", *(["--results", str(out), "--docs", str(out)] if options.quick else []))


if __name__ == "__main__":
    main()
