"""The C++ benchmarks as a program: their rows as dictionaries."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def value_of(word: str) -> Any:
    """A word of a row's label as the number that it is."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def row_of(entry: Row) -> Row:
    """Name, the fields of the label, and the counters of one entry of google-benchmark's JSON."""
    fields = dict(pair.split("=", 1) for pair in entry["label"].split())
    counters = {
        key: value
        for key, value in entry.items()
        if key.endswith("_us")
        or key in ("ratio", "over_bound", "over_quiet", "disturbed", "peak_mib", "iterations")
    }
    name = entry["name"].split("/iterations:")[0]
    return {"name": name} | {key: value_of(word) for key, word in fields.items()} | counters


def run_rows(program: Path, *options: str, context: Row | None = None) -> list[Row]:
    """Runs the rows that `options` choose. A row whose result is wrong ends this program.

    Fills `context` with what google-benchmark says of the machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [str(program), *options, f"--benchmark_out={out}"]
        done = subprocess.run(command, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed: see the rows above")
        report = json.loads(out.read_text())
    if context is not None:
        context.update(report["context"])
    return [row_of(entry) for entry in report["benchmarks"]]
