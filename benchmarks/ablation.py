"""What each trick of the k-th-smallest search is worth: builds without it, in turns with the whole.

    python benchmarks/ablation.py -o <date>-ablation.json [--rounds 3] [--threads 1,2]

Each trick is switched off by itself, by a change to a copy of the sources. A trick earns its place
where, without it, a row that meets its target of targets.py misses it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from alternate import in_turns
from machine import ROOT, about
from targets import TARGETS

CPU = "csrc/src/cpu/"


@dataclass(frozen=True)
class Trick:
    """A passage of the sources, and what stands there without the trick."""

    name: str
    file: str
    with_it: str
    without: str


TRICKS = [
    Trick(
        "runs of the upper of two levels",
        CPU + "kth_smallest/levels.hpp",
        "    if (middle >= held.last) return std::nullopt;\n",
        "    if (middle >= 0) return std::nullopt;\n",
    ),
    Trick(
        "the large sample",
        CPU + "kth_smallest/prediction.cpp",
        "        bracket = from_sample(bracket);\n",
        "        bracket = *narrower;\n",
    ),
    Trick(
        "the likely level",
        CPU + "kth_smallest/prediction.cpp",
        "if (likely && needs_no_candidates(*likely))",
        "if (likely && needs_no_candidates(*likely) && size_ < 0)",
    ),
    Trick(
        "the ladder of strides",
        CPU + "kth_smallest/prediction.cpp",
        "  while (tiles >= 21 * stride) stride *= 3;\n  return stride;\n",
        "  stride = tiles < 300 ? 9 : 27;\n  return tiles >= 7 * stride ? stride : 1;\n",
    ),
    Trick(
        "samples of tiles",
        CPU + "kth_smallest/prediction.cpp",
        "  while (tiles >= 21 * stride) stride *= 3;\n  return stride;\n",
        "  return tiles < 0 ? 3 : stride;\n",
    ),
    Trick(
        "reading by turns",
        CPU + "memory/tiles.hpp",
        "constexpr std::int64_t stretches = 2, longest",
        "constexpr std::int64_t stretches = 1, longest",
    ),
    Trick(
        "pages",
        CPU + "memory/tiles.hpp",
        "paged_from = std::int64_t(1) << 23,",
        "paged_from = std::int64_t(1) << 62,",
    ),
    Trick(
        "huge pages",
        CPU + "memory/arena.hpp",
        "if (bytes >= fresh_every_time)",
        "if (bytes >= fresh_every_time && bytes == 0)",
    ),
]


def build(sources: Path, folder: Path) -> Path:
    """The C++ benchmarks of a tree."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DPRUNECELL_BENCHMARKS=ON", "-DPRUNECELL_CUDA=OFF"]
    subprocess.run(["cmake", "-S", sources, "-B", folder, "-G", "Ninja", *options], check=True)
    target = "prunecell_benchmarks"
    subprocess.run(["cmake", "--build", folder, "--target", target], check=True)
    return folder / "benchmarks" / "cpp" / target


def without(trick: Trick, place: Path) -> Path:
    """A copy of the tree without the trick. What is there already and does not change stays."""
    text = (ROOT / trick.file).read_text()
    if text.count(trick.with_it) != 1:
        raise SystemExit(f"{trick.name}: {trick.file} has not once: {trick.with_it!r}")

    def changed(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name) == ROOT / trick.file]

    for part in ("cmake", "csrc", "benchmarks/cpp"):
        shutil.copytree(ROOT / part, place / part, ignore=changed, dirs_exist_ok=True)
    for part in ("CMakeLists.txt", "pyproject.toml"):
        shutil.copy2(ROOT / part, place / part)
    file = place / trick.file
    new = text.replace(trick.with_it, trick.without)
    if not file.exists() or file.read_text() != new:
        file.write_text(new)
    return place


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--top", type=int, default=24, help="largest size, as a power of two")
    parser.add_argument("--keep", type=Path, help="where builds are kept; default: nowhere")
    options = parser.parse_args()
    head = about() | {"rounds": options.rounds}
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        builds = {"all": build(ROOT, place / "all")}
        for number, trick in enumerate(TRICKS):
            tree = without(trick, place / f"tree{number}")
            builds[trick.name] = build(tree, place / f"build{number}")
        arguments = [
            "--extent=quick",
            f"--threads={options.threads}",
            f"--top={options.top}",
            "--benchmark_filter=^(rebuild.*|adversarial|fused.*|network|channels_last)/",
        ]
        values = in_turns(builds, options.rounds, "ratio", *arguments)
    medians = {row: {b: statistics.median(v) for b, v in of.items()} for row, of in values.items()}
    targets = {group: one.target for one in TARGETS for group in one.groups}
    table = []
    for trick in TRICKS:
        over = {row: of[trick.name] / of["all"] for row, of in medians.items()}
        worst = max(over, key=over.__getitem__)
        flipped = [
            row
            for row, of in medians.items()
            if (limit := targets.get(row.partition("/")[0])) and of["all"] <= limit < of[trick.name]
        ]
        line = {"trick": trick.name, "median": statistics.median(over.values())}
        line |= {"worst": over[worst], "worst_row": worst, "flips": flipped}
        table.append(line)
        print(
            f"{trick.name:35} median {line['median']:.3f}, worst {over[worst]:.2f}: {worst}; "
            f"{len(flipped)} rows miss their target",
            flush=True,
        )
    results = head | {"tricks": table, "rows": medians}
    options.output.write_text(json.dumps(results, indent=1) + os.linesep)


if __name__ == "__main__":
    main()
