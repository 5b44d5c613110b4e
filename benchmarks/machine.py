"""The head of every file of results: machine, commit and versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import prunecell

ROOT = Path(__file__).resolve().parent.parent


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def cpu_extensions() -> list[str]:
    """The flags of the processor that name instruction sets of the kernels."""
    known = {"avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vbmi2", "avx512_bf16", "f16c"}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return sorted(known & set(line.split()))
    return []


def compiler() -> str:
    """The compiler of the native module, by its own word."""
    native = Path(prunecell._core.__file__).read_bytes()
    found = re.findall(rb"GCC: \([^)\0]*\) [\d.]+|clang version [\d.]+", native)
    return sorted(found)[-1].decode() if found else "unknown"


def commit() -> dict[str, Any]:
    """The commit, and whether sources differ from it; results and their page do not count."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    written = [":!benchmarks/results", ":!docs"]
    return {
        "commit": git("rev-parse", "--short=12", "HEAD") or "unknown",
        "dirty": bool(git("status", "--porcelain", "--", ".", *written)),
    }


def about(**versions: str) -> dict[str, Any]:
    """The head; `versions` of packages that take part beside prunecell, Python and numpy."""
    import numpy as np

    return {
        "date": date.today().isoformat(),
        "command": " ".join(["python", *sys.argv]).replace(f"{ROOT}/", ""),
        **commit(),
        "cpu": cpu(),
        "cpu_extensions": cpu_extensions(),
        "cores": os.cpu_count(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "compiler": compiler(),
        "versions": {
            "prunecell": prunecell.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        | versions,
    }
