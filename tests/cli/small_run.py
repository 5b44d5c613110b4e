"""A network and data that train in a second; as a program, `prunecell` that dies on the way.

    python small_run.py POINT,POINT,... ARGUMENTS...

runs the command line once for each point, where it kills itself by SIGKILL: "before:3" or "after:3"
around the third time that a file takes its place, "batch:7" in the seventh batch, "log:2" between
the second checkpoint and its line in the log. Prints how each ended, as `os.waitpid` has it.
"""

import os
import signal
import sys
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
        from prunecell.cli.training.folder import Folder

        append = Folder.append_log

        def appending(self: Folder, record: dict) -> None:
            if reached():
                die()
            append(self, record)

        Folder.append_log = appending


def _killed(point: str, arguments: list[str]) -> int:
    from prunecell.cli import main

    # Before torch has started any thread: those would be missing in the child.
    child = os.fork()
    if child == 0:
        _die_at(point)
        os._exit(main(arguments))
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    # What takes longer than all the training is imported once, before the forks; the last is what
    # the first optimizer of a process imports.
    for module in ("torch", "prunecell.torch.network", "torch._dynamo"):
        import_module(module)
    for one in sys.argv[1].split(","):
        print(one, _killed(one, sys.argv[2:]), flush=True)
