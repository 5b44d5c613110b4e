"""The loop over epochs: a run that was killed and continued ends as an uninterrupted run.

Each epoch begins from a checkpoint and from random numbers that depend on the seed and the number
of the epoch alone: nothing else passes from one epoch to the next.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunecell import UnreachableThreshold
from prunecell.cli import console
from prunecell.cli.errors import CommandError
from prunecell.cli.lab.data import Data
from prunecell.cli.lab.folder import Folder, check_records
from prunecell.cli.lab.network import Network, cells_of
from prunecell.cli.lab.options import Options
from prunecell.cli.progress import Progress
from prunecell.cli.tensors.torchload import load_torch
from prunecell.formats.atomic import replacing
from prunecell.formats.with_torch import save

_TEST_BATCH = 500
Record = dict[str, Any]


class Training:
    """A network, its optimizer, and the epochs so far."""

    def __init__(self, network: Network, data: Data, options: Options, folder: Folder) -> None:
        self._network, self._options, self._folder = network, options, folder
        self._images, self._labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
        self._test = torch.from_numpy(data.test_images), torch.from_numpy(data.test_labels)
        self._optimizer = torch.optim.SGD(
            network.module.parameters(),
            lr=options.lr,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
        self.records: list[Record] = []

    def restore(self) -> None:
        """Continues from the checkpoint, and makes the log fit it.

        Raises:
            CommandError: The checkpoint cannot be read, or is that of another network.
        """
        path = self._folder.checkpoint
        try:
            saved = load_torch(path)
            self._network.module.load_state_dict(saved["model"])
            self._optimizer.load_state_dict(saved["optimizer"])
            records = json.loads(saved["records"])
            check_records(records, path)
            self.records = records
        except (MemoryError, OSError):
            raise
        except Exception as error:  # a damaged or foreign checkpoint makes torch raise anything
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CommandError(f"{path}: expected a checkpoint of this network: {first}") from None
        self._folder.write_log(self.records)

    def run(self) -> None:
        """Trains for all epochs that are left.

        Raises:
            CommandError: Training diverges. The checkpoint is that of the last whole epoch.
        """
        options = self._options
        left = options.epochs - len(self.records)
        with Progress("training", left * len(self._labels)) as progress:
            for number in range(len(self.records) + 1, options.epochs + 1):
                record = self._epoch(number, progress)
                self.records.append(record)
                self._save()
                self._folder.append_log(record)
                self._say(record)

    def _epoch(self, number: int, progress: Progress) -> Record:
        began, model = time.monotonic(), self._network.model
        seeds = np.random.SeedSequence([self._options.seed, number]).generate_state(2, np.uint64)
        torch.manual_seed(int(seeds[0] >> np.uint64(1)))  # dropout and the like
        order = torch.Generator().manual_seed(int(seeds[1] >> np.uint64(1)))
        shuffled = torch.randperm(len(self._labels), generator=order)
        batches = torch.split(shuffled, self._options.batch)
        if len(batches[-1]) == 1 < len(batches[0]):
            batches = batches[:-1]  # a batch normalization needs two: see Network.check_batch
        self._network.module.train()
        total = 0.0
        for batch in batches:
            self._optimizer.zero_grad()
            loss = self._network.loss(self._images[batch], self._labels[batch])
            value = float(loss.detach())
            if not math.isfinite(value):
                raise _diverged(number, f"the loss is {value}")
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._drive(number, partial(model.update, len(batch)))
            total += value * len(batch)
            progress.advance(len(batch), f"epoch {number} of {self._options.epochs}{self._last()}")
        self._drive(number, model.end_epoch)
        if not self._is_finite():  # the last step may diverge, and no loss follows it
            raise _diverged(number, "there are weights that are NaN or Inf")
        cells = cells_of(model)
        return {
            "epoch": number,
            "loss": total / sum(map(len, batches)),
            "accuracy": self._accuracy(*self._test),
            "sparsity": _sparsity(cells),
            "seconds": round(time.monotonic() - began, 3),
            "cells": cells,
        }

    def _drive(self, number: int, call: Callable[[], None]) -> None:
        """Advances the schedule. Raises CommandError if weights have diverged."""
        try:
            call()
        except UnreachableThreshold as error:
            if self._is_finite():
                raise
            raise _diverged(number, str(error)) from None

    def _is_finite(self) -> bool:
        return all(bool(one.isfinite().all()) for one in self._network.module.parameters())

    def _accuracy(self, images: Tensor, labels: Tensor) -> float:
        parts = zip(torch.split(images, _TEST_BATCH), torch.split(labels, _TEST_BATCH), strict=True)
        right = (int((self._network.predict(i).argmax(1) == n).sum()) for i, n in parts)
        return sum(right) / len(labels)

    def _save(self) -> None:
        state = {
            "model": self._network.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "records": json.dumps(self.records),
        }
        with replacing(self._folder.checkpoint) as file:
            save(state, file)

    def _last(self) -> str:
        return f", {_result(self.records[-1])}" if self.records else ""

    def _say(self, record: Record) -> None:
        """Writes a line where no progress bar is drawn, so that a log shows a long run as well."""
        if not console.is_terminal(sys.stderr):
            line = f"epoch {record['epoch']} of {self._options.epochs}: loss {record['loss']:.4g}, "
            console.mutter(f"{line}{_result(record)}\n")


def _result(record: Record) -> str:
    return f"accuracy {record['accuracy']:.3f}, pruned {record['sparsity']:.1%}"


def _diverged(number: int, why: str) -> CommandError:
    return CommandError(f"training diverged in epoch {number}: {why}; a smaller --lr may help")


def _sparsity(cells: dict[str, dict[str, Any]]) -> float:
    size = sum(cell["size"] for cell in cells.values())
    return round(sum(cell["zeros"] for cell in cells.values()) / size, 7) if size else 0.0
