"""A whole training step with masks attached, over the same step without.

    python benchmarks/training.py -o <date>-training.json --threads 1 2

Three equal networks train on the same batch, in turn: a plain one; one whose weights are held at
90 % (steady); one whose masks rise in every step (rise). All of them do forward, backward and a
step of SGD with momentum; the pruned ones call `model.update` after it. Before anything is
reported, the masks are checked to hold on all weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import prunecell
import torch
from machine import about
from networks import TRAININGS, Training
from timing import Timed, in_turns
from torch import nn

STEADY: dict[str, Any] = {"prune_mode": "Static", "threshold": 0.9}
# From 30 % upwards by so little that the last step of the longest run still rises.
RISE: dict[str, Any] = {"prune_mode": "Gradual", "start": 0.3, "gamma": 2e-4, "threshold": 0.99}


class Trained:
    """A network in training, pruned by cells of the given parameters or plain."""

    def __init__(self, training: Training, parameters: dict[str, Any] | None) -> None:
        torch.manual_seed(0)
        self.net = training.make()
        self.model = None
        if parameters is not None:
            self.model = prunecell.torch.wrap(self.net)
            common = {"prune_filler": "IterNonStruct", "delta": 1e-4}
            if parameters["prune_mode"] == "Gradual":
                common["stepsize"] = training.images[0]
            self.model.attach(
                {cell.name: prunecell.PruneCell(**common, **parameters) for cell in self.model}
            )
        self.images = torch.randn(training.images)
        self.labels = torch.randint(training.classes, training.images[:1])
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.001, momentum=0.9)
        self.loss = nn.CrossEntropyLoss()

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.loss(self.net(self.images), self.labels).backward()
        self.optimizer.step()
        if self.model is not None:
            self.model.update(len(self.images))

    def rises(self) -> int:
        return 0 if self.model is None else self.model.cells[0].quantizer.rises


def measure(name: str, threads: int, rounds: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    training = TRAININGS[name]
    nets = {
        "plain": Trained(training, None),
        "steady": Trained(training, STEADY),
        "rise": Trained(training, RISE),
    }
    timed = {kind: Timed(net.step) for kind, net in nets.items()}
    in_turns(timed, rounds)
    for kind in ("steady", "rise"):
        nets[kind].model.check()  # type: ignore[union-attr]
    if nets["rise"].rises() <= rounds or nets["steady"].rises() != 0:
        raise SystemExit(f"{name}: masks did not rise in every step, or rose where they should not")
    plain = timed["plain"].median
    row: dict[str, Any] = {"network": name, "threads": threads, "batch": list(training.images)}
    row["weights"] = sum(one.numel() for one in nets["plain"].net.parameters())
    for kind, one in timed.items():
        row[kind] = one.figures()
        row[f"{kind}_overhead"] = one.median / plain - 1
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="*", default=[1])
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds")
    options = parser.parse_args()
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
