"""The C++ benchmarks, with trained weights, as one file of results.

    python benchmarks/kernels.py -o <date>-kernels.json --native .../prunecell_benchmarks

The trained weights of all models of models.py are laid out one after the other, as float32.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import about
from models import MODELS
from native import run_rows


def write_real_weights(path: Path) -> int:
    """Every floating tensor of two or more dimensions. Returns the number of weights."""
    size = 0
    with path.open("wb") as file:
        for make in MODELS.values():
            for one in make().values():
                if one.dtype.kind == "f" and one.ndim >= 2:
                    file.write(np.ascontiguousarray(one, dtype=np.float32).tobytes())
                    size += one.size
    return size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--native", type=Path, required=True, help="the C++ benchmarks")
    parser.add_argument("--threads", type=int, nargs="*", default=[1])
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    parser.add_argument("--top", type=int, default=28, help="largest size, as a power of two")
    parser.add_argument("--filter", help="a regular expression that chooses rows")
    options = parser.parse_args()
    head = about()
    context: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        real = Path(folder) / "real.f32"
        real_size = write_real_weights(real)
        arguments = [
            f"--extent={'quick' if options.quick else 'full'}",
            f"--threads={','.join(map(str, options.threads))}",
            f"--top={options.top}",
            f"--real={real}",
        ]
        if options.filter:
            arguments.append(f"--benchmark_filter={options.filter}")
        rows = run_rows(options.native, *arguments, context=context)
    head |= {
        "extent": "quick" if options.quick else "full",
        "compiler": f"GCC {context['compiler']}",
        "caches": [
            {"level": one["level"], "type": one["type"], "bytes": one["size"]}
            for one in context["caches"]
        ],
        "real_weights": real_size,
        "real_models": list(MODELS),
    }
    options.output.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
