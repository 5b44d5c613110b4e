"""Two builds of the C++ benchmarks, row by row: has anything become slower?

    python benchmarks/compare.py BASE NEW -o <date>-compare.json [--pairs 15] [--threads 1,2]

A row is slower where the median of the ratios new over base of its times is above 1.03 and the 95 %
interval of that median lies above 1.03 as well. The builds may be of different commits.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from alternate import in_turns, paired
from machine import about

LIMIT = 1.03


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("base", type=Path, help="the program before")
    parser.add_argument("new", type=Path, help="the program after")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--top", type=int, default=24, help="largest size, as a power of two")
    parser.add_argument("--filter", help="a regular expression that chooses rows")
    options = parser.parse_args()
    head = about() | {"pairs": options.pairs, "limit": LIMIT}
    arguments = ["--extent=quick", f"--threads={options.threads}", f"--top={options.top}"]
    if options.filter:
        arguments.append(f"--benchmark_filter={options.filter}")
    builds = {"base": options.base, "new": options.new}
    times = in_turns(builds, options.pairs, "work_us", *arguments)
    rows = []
    for name, of in times.items():
        median, low, high = paired(of, "new", "base")
        both = {build: statistics.median(values) for build, values in of.items()}
        verdict = {"slower": median > LIMIT and low > LIMIT}
        rows.append(
            {"name": name} | both | {"new_over_base": median, "low": low, "high": high} | verdict
        )
    slower = [row for row in rows if row["slower"]]
    options.output.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")
    for row in sorted(rows, key=lambda one: -one["new_over_base"])[:10]:
        print("{name:70} {new_over_base:.3f} [{low:.3f}, {high:.3f}]".format(**row))
    print(f"{len(slower)} of {len(rows)} rows are slower")
    raise SystemExit(1 if slower else 0)


if __name__ == "__main__":
    main()
