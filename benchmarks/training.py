"""A whole training step with masks attached, over the same step without.

    python benchmarks/training.py -o <date>-training.json --threads 1 2

One network trains on one batch, in turn: plain; with its weights held at 90 % (steady); with masks
that rise in every step (rise). It is the same network every time, its quantizers taken off and put
on in between, since equal networks differ by more than what is measured: their memory lies
elsewhere. A step is forward, backward, SGD with momentum, and `model.update` where masks are
attached. The masks are checked to hold after the steps that were timed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
from pathlib import Path
from typing import Any

import prunecell
import torch
from machine import about
from networks import TRAININGS, Training
from timing import Timed, in_turns
from torch import nn

COMMON: dict[str, Any] = {"prune_filler": "IterNonStruct", "delta": 1e-4}
STEADY: dict[str, Any] = COMMON | {"prune_mode": "Static", "threshold": 0.9}
RISE: dict[str, Any] = COMMON | {
    "prune_mode": "Gradual",
    "start": 0.3,
    "gamma": 2e-4,
    "threshold": 0.99,
}
WARM, STEPS = 2, 4
"""Steps with the same masks attached: first those that are not timed, then those that are."""


class Trained:
    """A network in training, whose quantizers come and go."""

    def __init__(self, training: Training) -> None:
        torch.manual_seed(0)
        net = training.make()
        self.model = prunecell.torch.wrap(net)
        self.images = torch.randn(training.images)
        self.labels = torch.randint(training.classes, training.images[:1])
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
        self.loss = nn.CrossEntropyLoss()

    def plain_step(self) -> None:
        self.optimizer.zero_grad()
        self.loss(self.model.module(self.images), self.labels).backward()
        self.optimizer.step()

    def pruned_step(self) -> None:
        self.plain_step()
        self.model.update(len(self.images))

    def detach(self) -> None:
        """Takes the quantizers off. They have held."""
        self.model.check()
        self.model.detach()

    def prepare_plain(self) -> tuple[()]:
        self.detach()
        for _ in range(WARM):
            self.plain_step()
        return ()

    def prepare_pruned(self, parameters: dict[str, Any]) -> tuple[()]:
        self.detach()
        self.model.attach({cell.name: prunecell.PruneCell(**parameters) for cell in self.model})
        for _ in range(WARM):
            self.pruned_step()
        return ()

    def rises(self) -> int:
        quantizer = self.model.cells[0].quantizer
        return 0 if quantizer is None else quantizer.rises


def keep_memory() -> None:
    """Has the C library keep what is freed, up to blocks of 32 MiB.

    It may return the memory of activations to the system at the end of each step, and get it back
    in the next, page by page. That takes a good part of a small step, and whether it happens
    depends on what was allocated behind them: on chance.
    """
    trim_threshold, mmap_threshold = -1, -3  # of malloc.h
    library = ctypes.CDLL(None)
    if not (library.mallopt(trim_threshold, 2**31 - 1) and library.mallopt(mmap_threshold, 2**25)):
        raise SystemExit("this benchmark needs mallopt of the GNU C library")


def measure(name: str, threads: int, rounds: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    training = TRAININGS[name]
    trained = Trained(training)
    rise = RISE | {"stepsize": training.images[0]}
    for parameters, expected in ((STEADY, 0), (rise, WARM)):
        trained.prepare_pruned(parameters)
        if trained.rises() != expected:
            raise SystemExit(f"{name}: expected {expected} rises, got {trained.rises()}")
    timed = {
        "plain": Timed(trained.plain_step, trained.prepare_plain, STEPS),
        "steady": Timed(trained.pruned_step, lambda: trained.prepare_pruned(STEADY), STEPS),
        "rise": Timed(trained.pruned_step, lambda: trained.prepare_pruned(rise), STEPS),
    }
    in_turns(timed, rounds)
    trained.detach()
    row: dict[str, Any] = {"network": name, "threads": threads, "batch": list(training.images)}
    row["weights"] = sum(one.numel() for one in trained.model.module.parameters())
    for kind, one in timed.items():
        row[kind] = one.figures()
        row[f"{kind}_overhead"] = one.over(timed["plain"]) - 1
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="*", default=[1])
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds")
    options = parser.parse_args()
    keep_memory()
    head = about(torch=torch.__version__) | {"extent": "quick" if options.quick else "full"}
    rows = []
    for name, training in TRAININGS.items():
        for threads in options.threads:
            rounds = training.rounds // 4 if options.quick else training.rounds
            rows.append(measure(name, threads, rounds))
            print(
                "{network:10} {threads} threads: steady {steady_overhead:+.1%}, "
                "rise {rise_overhead:+.1%}".format(**rows[-1]),
                flush=True,
            )
    options.output.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
