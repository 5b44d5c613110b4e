"""A network and data that train in a second; as a program, `prunecell` that dies on the way.

    python small_run.py POINT,POINT,... ARGUMENTS...

runs the command line once for each point, where it kills itself by SIGKILL: "before:3" or "after:3"
around the third time that a file takes its place, "batch:7" in the seventh batch, "log:2" between
the second checkpoint and its line in the log. Prints how each ended, as `os.waitpid` has it.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

INI = """
[sp]
SizeX=12
SizeY=12

[conv1]
Input=sp
Type=Conv
KernelDims=3 3
NbOutputs=4
ActivationFunction=Rectifier
QWeight=Prune
QWeight.PruningMode=Static
QWeight.PruningFiller=IterNonStruct
QWeight.Threshold=0.3

[drop]
Input=conv1
Type=Dropout
NbOutputs=4

[fc1]
Input=drop
Type=Fc
NbOutputs=3
ActivationFunction=Linear
QWeight=Prune
QWeight.PruningMode=Gradual
QWeight.PruningFiller=IterNonStruct
QWeight.Threshold=0.8
QWeight.StartThreshold=0.2
QWeight.GammaThreshold=0.2
QWeight.Delta=0.0001
"""


def write_data(path: Path, count: int = 150) -> Path:
    """Squares in one of three corners, with noise."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 90, (count, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * 6 : row * 6 + 5, column * 6 : column * 6 + 5] += 120
    np.savez(path, images=images, labels=labels)
    return path


def damaged_files(run: Path) -> Iterator[tuple[str, bytes, str]]:
    """Names of a run's files, content that they must not have, and what the error expects."""
    description = json.loads((run / "run.json").read_text())
    options = description["options"]
    integer = "an integer from 1 to 1000000 as options.epochs, got"
    for changed, said in (
        ({"batch": "x"}, "an integer from 1 to 1073741824 as options.batch, got 'x'"),
        ({"epochs": 3.0}, f"{integer} 3.0"),
        ({"epochs": True}, f"{integer} True"),
        ({"epochs": 0}, f"{integer} 0"),
        ({"epochs": 10**400}, f"{integer} 1000"),
        ({"lr": None}, "a number from 0.0 to 1000000.0 as options.lr, got None"),
        ({"lr": float("nan")}, "a number from 0.0 to 1000000.0 as options.lr, got nan"),
        ({"momentum": 2}, "a number from 0.0 to 1.0 as options.momentum, got 2"),
        ({"data": "a\0b"}, "the name of a file as options.data, got 'a\\x00b'"),
        ({"data": "\ud800"}, "the name of a file as options.data, got '\\ud800'"),
        ({"speed": 3}, "no options but data, epochs, "),
    ):
        text = json.dumps(description | {"options": options | changed})
        yield "run.json", text.encode(), said
    for key, value, said in (
        ("format", 9, "a run of format 1, got 9"),
        ("options", 3, "a JSON object as options, got 3"),
        ("options", {}, "the name of a file as options.data, got nothing"),
        ("ini", 3, "a string as ini, got 3"),
        ("threads", -1, "an integer from 0 to 9223372036854775807 as threads, got -1"),
        ("images", {"train": 9}, "an integer from 0 to 9223372036854775807 as images.test, got no"),
        ("starts", {"fc1": 2}, "a number from 0 to 1 as starts.fc1, got 2"),
        ("versions", {"torch": 2}, "a string as versions.torch, got 2"),
    ):
        yield "run.json", json.dumps(description | {key: value}).encode(), said
    yield "run.json", b"[1]", "a JSON object, got [1]"
    yield "run.json", b'{"format": 1}', "a string as ini, got nothing"
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        yield "run.json", content, "JSON: "
    log = (run / "log.jsonl").read_bytes()
    for content in (log + b"\xff\xfe", b"\xff\xfe" + log, b"{\n", b"[" * 100_000 + b"\n"):
        yield "log.jsonl", content, "one line of JSON per epoch: "
    record = json.loads(log.splitlines()[-1]) | {"epoch": 2}
    cell = {"threshold": 0.5, "zeros": 1, "size": 2}
    for value, said in (
        (3, "a JSON object in line 2, got 3"),
        ({"epoch": 2}, "a finite number or null as loss in line 2, got nothing"),
        (record | {"epoch": "x"}, "2 as epoch in line 2"),
        (
            record | {"accuracy": float("nan")},
            "a number from 0 to 1 as accuracy in line 2",
        ),
        (record | {"cells": [1]}, "a JSON object as cells in line 2, got [1]"),
        (
            record | {"cells": {"a": cell | {"threshold": "x"}}},
            "a number from 0 to 1 as cells.a.t",
        ),
        (record | {"cells": {"a": cell | {"size": 0.5}}}, "an integer from 0 to 9223372036854775"),
    ):
        yield "log.jsonl", log + json.dumps(value).encode() + b"\n", said


def _die_at(point: str) -> None:
    where, _, number = point.partition(":")
    count = 0

    def reached() -> bool:
        nonlocal count
        count += 1
        return count == int(number)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if where in ("before", "after"):
        replace = os.replace

        def replacing(source: object, target: object) -> None:
            now = reached()
            if now and where == "before":
                die()
            replace(source, target)
            if now:
                die()

        os.replace = replacing
    elif where == "batch":
        import torch

        step = torch.optim.SGD.step

        def stepping(self: object, closure: object = None) -> object:
            if reached():
                die()
            return step(self, closure)

        torch.optim.SGD.step = stepping
    elif where == "log":
        from prunecell.cli.lab.folder import Folder

        append = Folder.append_log

        def appending(self: Folder, record: dict) -> None:
            if reached():
                die()
            append(self, record)

        Folder.append_log = appending


def _killed(point: str, arguments: list[str]) -> int:
    from prunecell_cli import main

    # Before torch has started any thread: those would be missing in the child.
    child = os.fork()
    if child == 0:
        _die_at(point)
        os._exit(main(arguments))
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    # Imports that take longer than all the training come once, before the forks; the last is what
    # the first optimizer of a process imports.
    for module in ("torch", "prunecell.n2d2", "torch._dynamo"):
        import_module(module)
    for one in sys.argv[1].split(","):
        print(one, _killed(one, sys.argv[2:]), flush=True)
