"""What a call from Python costs, over the same call from C++.

    python benchmarks/calls.py -o <date>-calls.json --native .../prunecell_benchmarks

Tensors have 64 weights, so that the call is what costs. The C++ rows are those of
`cpp/rows_cell.cpp`, run by this program just before its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import prunecell
import torch
from machine import about
from native import run_rows
from prunecell import quantizer
from timing import Timed, in_turns

SIZE, BATCH = 64, 50
STATIC: dict[str, Any] = {
    "prune_mode": "Static",
    "prune_filler": "IterNonStruct",
    "threshold": 0.5,
}


@dataclass
class Case:
    """A call that a user writes, and the row of the C++ program that does the same."""

    kind: str
    call: str
    cells: int
    body: Callable[[], object]

    @property
    def native(self) -> str:
        return f"calls/{self.call}/{self.cells}"


def numpy_weights() -> Any:
    return (0.05 * np.random.default_rng(1).standard_normal(SIZE)).astype(np.float32)


def cell_of(*arrays: Any) -> prunecell.PruneCell:
    cell = prunecell.PruneCell(**STATIC)
    for weights in arrays:
        cell.add_weights(weights)
    cell.initialize()
    return cell


def array_cases(kind: str, weights: Callable[[], Any]) -> Iterator[Case]:
    one = cell_of(weights())
    many = [cell_of(weights()) for _ in range(BATCH)]
    bound = cell_of(*(weights() for _ in range(BATCH)))
    arrays = [weights() for _ in range(BATCH)]
    masks = prunecell.rebuild_and_apply(arrays, threshold=0.5)
    yield Case(kind, "propagate", 1, one.propagate)
    yield Case(kind, "propagate", BATCH, bound.propagate)
    yield Case(kind, "update", 1, lambda: one.update(32))
    yield Case(kind, "update", BATCH, lambda: quantizer.update(many, 32))
    yield Case(kind, "apply", 1, lambda: prunecell.apply_mask(arrays[0], masks[0]))
    yield Case(kind, "apply", BATCH, lambda: prunecell.apply_mask(arrays, masks))


def model_cases() -> Iterator[Case]:
    """A model of 50 layers whose cells are attached; its `update` is what a training loop calls."""
    layers = [torch.nn.Linear(8, 8, bias=False) for _ in range(BATCH)]
    model = prunecell.torch.wrap(torch.nn.Sequential(*layers))
    model.attach({cell.name: prunecell.PruneCell(**STATIC) for cell in model})
    yield Case("torch model", "update", BATCH, lambda: model.update(32))


def cases() -> Iterator[Case]:
    yield from array_cases("numpy", numpy_weights)
    yield from array_cases("torch", lambda: torch.from_numpy(numpy_weights()))
    yield from model_cases()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--native", type=Path, required=True, help="the C++ benchmarks")
    parser.add_argument("--rounds", type=int, default=101)
    options = parser.parse_args()
    head = about(torch=torch.__version__)
    native = {row["name"]: row for row in run_rows(options.native, "--benchmark_filter=^calls/")}
    found = list(cases())
    timed = {
        f"{case.kind}/{case.native}": Timed(case.body, calls=1000 // case.cells) for case in found
    }
    in_turns(timed, options.rounds)
    rows = []
    for case in found:
        figures = timed[f"{case.kind}/{case.native}"].figures()
        native_us = native[case.native]["work_us"]
        rows.append(
            {"kind": case.kind, "call": case.call, "cells": case.cells}
            | figures
            | {"native_us": native_us, "over_native_us": figures["us"] - native_us}
        )
        print(
            "{kind:12} {call:10} {cells:3} {us:9.2f} us, C++ {native_us:.2f} us".format(**rows[-1])
        )
    options.output.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
