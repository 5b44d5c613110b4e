"""Reads the folder of a run as the data that a report shows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from prunecell.cli.errors import CommandError
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.run import CellFigures, Epoch, Run, TensorBytes
from prunecell.cli.lab.weights import Histograms, histograms
from prunecell.cli.tensors import Source, open_source
from prunecell.cli.terminal import count_text


def read_run(folder: Folder) -> Run:
    """The run in a folder.

    Raises:
        CommandError, BadFile: The folder is not that of a run, or one of its files is damaged.
    """
    description, records = folder.read_description(), folder.read_log()
    epochs = [_epoch(record) for record in records]
    title = f"{description['ini']} on {description['options']['data']}"
    planned, starts = description["options"]["epochs"], description.get("starts", {})
    run = Run(title, _facts(description), planned, epochs, starts)
    if not folder.final.is_file() or len(epochs) < run.planned:
        return run
    with (
        closing(open_source(folder.final)) as after,
        closing(open_source(folder.initial)) as before,
    ):
        tensors = [_bytes(after, name) for name in after.tensors]
        cells = epochs[-1].cells if epochs else {}
        counts = {name: _histograms(before, after, f"{name}.weight") for name in cells}
    size = folder.final.stat().st_size
    return replace(run, bytes=tensors, file_bytes=size, histograms=counts)


def _epoch(record: dict[str, Any]) -> Epoch:
    cells = {
        name: CellFigures(float(cell["threshold"]), cell["zeros"], cell["size"])
        for name, cell in record["cells"].items()
    }
    loss = float("nan") if record["loss"] is None else float(record["loss"])
    return Epoch(record["epoch"], loss, float(record["accuracy"]), cells)


def _facts(description: dict[str, Any]) -> list[tuple[str, str]]:
    options, images = description["options"], description["images"]
    versions, train = description["versions"], count_text(images["train"], "image")
    return [
        ("network", description["ini"]),
        ("data", f"{options['data']}: {train} to train, {images['test']:,} to test"),
        (
            "optimizer",
            f"SGD, learning rate {options['lr']:g}, momentum {options['momentum']:g}, weight decay "
            f"{options['weight_decay']:g}, batches of {options['batch']}",
        ),
        ("seed", str(options["seed"])),
        ("threads", str(description["threads"])),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
    ]


def _bytes(source: Source, name: str) -> TensorBytes:
    one = source.tensors[name]
    values = source.read(name).floats()
    zeros = int(np.count_nonzero(values == 0))
    return TensorBytes(name, one.dtype, one.shape, zeros, one.dense, one.stored)


def _histograms(before: Source, after: Source, name: str) -> Histograms:
    for source in (before, after):
        if name not in source.tensors:
            raise CommandError(f"expected a tensor {name!r} in the weights of the run")
    return histograms(before.read(name).floats(), after.read(name).floats())
