"""The same work by everyone: 2^24 normal float32 weights, 90 % of them pruned, delta 0.001.

    python benchmarks/peers.py --floor .../libprunecell_floor.so [-o FILE] [--only NAME ...]

Each peer's result is checked first, and what it is gets written down. Then the peer, our own call
and one read of the weights are timed in turn; a peer that takes long gets few rounds. Every thread
count is a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import peer_frameworks as frameworks
import peer_functions as functions
import torch
from floor import Floor
from machine import about
from peer import SHAPE, SIGMA, Job, describe
from timing import Timed

HERE = Path(__file__).resolve().parent
ROUNDS = 15  # at most

PEERS: dict[str, Callable[..., Job]] = {
    "prunecell": functions.ours,
    "prunecell, Random": functions.ours_random,
    "the reference's algorithm": lambda weights, floor, threads: functions.reference(
        "reference_iter_nonstruct", weights, floor
    ),
    "the reference's algorithm, vectorized": lambda weights, floor, threads: functions.reference(
        "reference_vectorized", weights, floor
    ),
    "numpy.partition": functions.numpy_partition,
    "numpy.partition and mask": functions.numpy_partition_mask,
    "numpy.quantile": functions.numpy_quantile,
    "torch.topk": functions.torch_topk,
    "torch.kthvalue": functions.torch_kthvalue,
    "torch.quantile": functions.torch_quantile,
    "torch.sort": functions.torch_sort,
    "torch prune.l1_unstructured": frameworks.l1_unstructured,
    "torch prune.random_unstructured": frameworks.random_unstructured,
    "torch prune.global_unstructured": frameworks.global_unstructured,
    "torch.ao WeightNormSparsifier": frameworks.weight_norm_sparsifier,
    "coremltools MagnitudePruner": frameworks.coremltools,
    "NNCF magnitude pruning": frameworks.nncf,
    "NNI LevelPruner": frameworks.nni,
    "llmcompressor unstructured mask": frameworks.llmcompressor,
    "Aidge IterNonStructPruner": frameworks.aidge,
}
# Tried, and without a way to do this work.
ABSENT = {
    "torchao 0.18": "has none of single weights by norm; that of torch.ao is measured here",
    "neural-compressor 3.10": "installs, but has no pruner any more",
    "torch-pruning 1.6": "prunes whole channels only",
    "sparseml 1.9": "does not install: its wheel fails to build",
    "jaxpruner": "is not on PyPI",
}


def timed_row(job: Job, ours: Job, weights: Any, floor: Floor, seconds: float) -> dict[str, Any]:
    things = {
        "peer": Timed(job.work, job.prepare),
        "ours": Timed(ours.work),
        "read": Timed(lambda: floor.read(weights)),
    }
    things["ours"].work()
    first = Timed(job.work, job.prepare)
    first.once()
    for _ in range(min(ROUNDS, max(2, int(seconds / first.median)))):
        for one in things.values():
            one.once()
    median = things["peer"].median
    return things["peer"].figures() | {
        "times_read": median / things["read"].median,
        "times_ours": median / things["ours"].median,
        "read_us": 1e6 * things["read"].median,
    }


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    threads = options.worker
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    floor = Floor(options.floor, threads)
    random = np.random.default_rng(0)
    weights = (SIGMA * random.standard_normal(SHAPE, np.float32)).astype(np.float32)
    ours = functions.ours(weights, floor, threads)
    mask = np.asarray(ours.work()).copy()
    rows = []
    for name, make in PEERS.items():
        if options.only and name not in options.only:
            continue
        row: dict[str, Any] = {"peer": name, "threads": threads}
        try:
            job = make(weights, floor, threads)
            row["result"] = describe(job, job.work(*job.prepare()), weights, mask)
            row |= timed_row(job, ours, weights, floor, options.seconds)
            print(
                "{peer:40} {threads} {us:14.0f} us {times_read:9.1f} x read".format(**row),
                flush=True,
            )
        except ImportError as reason:
            row["absent"] = str(reason)
            print(f"{name}: {reason}", flush=True)
        rows.append(row)
    return rows


def versions() -> dict[str, str]:
    names = ("torch", "coremltools", "nncf", "nni", "llmcompressor", "aidge_core", "aidge_pruning")
    return {name: importlib.metadata.version(name) for name in names}


def in_process(options: argparse.Namespace, threads: int) -> list[dict[str, Any]]:
    """The rows of one thread count, by a process that never had another."""
    out = options.output.with_suffix(f".{threads}.part")
    command = [sys.executable, __file__, "--floor", options.floor, "-o", out, "--worker", threads]
    command += ["--seconds", options.seconds]
    command += ["--only", *options.only] if options.only else []
    environment = dict(os.environ) | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run([str(word) for word in command], env=environment, check=True)
    rows: list[dict[str, Any]] = json.loads(out.read_text())
    out.unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--floor", type=Path, required=True, help="the library of cpp/floor.hpp")
    default = HERE / "results" / f"{date.today().isoformat()}-peers.json"
    parser.add_argument("-o", "--output", type=Path, default=default)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=15, help="for one peer, about")
    parser.add_argument("--only", nargs="*", choices=PEERS)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        rows = measure(options)
        options.output.write_text(json.dumps(rows))
        return
    report = about(**versions()) | {"size": SHAPE[0] * SHAPE[1]}
    rows = [row for threads in options.threads for row in in_process(options, threads)]
    rows += [{"peer": name, "absent": reason} for name, reason in ABSENT.items()]
    options.output.write_text(json.dumps(report | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
