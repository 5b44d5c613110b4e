"""Valid text and folders of runs that `mutate.py` begins with, and how each is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from prunecell import PruneCell, config
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.html.page import page
from prunecell.cli.lab.runs import read_run
from prunecell.formats import load_mask_text, save, save_mask_text
from valid_tensors import Files


def cell() -> PruneCell:
    made = PruneCell(prune_mode="Static", threshold=0.5)
    made.add_weights(np.arange(12, dtype=np.float32).reshape(3, 4))
    made.add_weights(np.ones(5, np.float32))
    return made


def masks(folder: Path) -> list[Files]:
    made = cell()
    made.initialize()
    save_mask_text(made, folder / "m.txt")
    return [{"m.txt": (folder / "m.txt").read_bytes()}]


def read_masks(path: Path) -> None:
    load_mask_text(cell(), path)


EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = b"""\
[{{SECTION_NAME}}_x]
K={{A}}
{% if A == 3 %}B=1{% else %}B=2{% endif %}
{% for I in range(3) %}
[{{SECTION_NAME}}_{{I}}] base
QWeight=Prune
QWeight.Threshold=$(0.1 * {{I}})
{% endfor %}
"""
MAIN = b"""\
$V=3
[base]
K=1 2 3
L=[base]K
QWeight.PruningMode=Gradual
[cell@t.tpl] base
A=${V}
M=$(int(2 ** ${V}) + max(1, 2))
"""


def ini(folder: Path) -> list[Files]:
    lenet = (EXAMPLES / "lenet.ini").read_bytes()
    return [{"a.ini": MAIN, "t.tpl": TEMPLATE}, {"a.ini": lenet}]


def read_ini(path: Path) -> None:
    found = config.read(path)
    for section in found.values():
        for key in section:
            try:
                section[key].numbers()
            except config.ConfigError:
                continue
    config.load_ini(path)


NETWORK = b"""\
[sp]
Size=8 8 3
[conv]
Input=sp
Type=Conv
KernelDims=3 3
NbOutputs=4
Stride=1
Mapping.NbGroups=1
ActivationFunction=Rectifier
ConfigSection=common
[pool]
Input=conv
Type=Pool
PoolDims=2 2
NbOutputs=4
Mapping.Size=1
[bn]
Input=pool
Type=BatchNorm
NbOutputs=4
[fc]
Input=bn
Type=Fc
NbOutputs=10
ConfigSection=common
[common]
NoBias=1
QWeight=Prune
"""


def networks(folder: Path) -> list[Files]:
    return [{"a.ini": NETWORK}]


def read_network(path: Path) -> None:
    import torch
    from prunecell.n2d2.build import build

    with torch.device("meta"):  # which allocates nothing: weights may take 2 GiB
        build(config.read(path), attach=False)


# Folders of runs


def runs(folder: Path) -> list[Files]:
    numbers = {"epochs": 2, "batch": 1, "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    options = {"data": "x", "seed": 0, "threads": 0} | numbers
    about = {"format": 1, "ini": "x.ini", "ini_sha256": "a", "data_sha256": "b", "threads": 1}
    description = about | {
        "options": options,
        "images": {"train": 1, "test": 1},
        "versions": {"torch": "2"},
    }
    cells = {name: {"threshold": 0.5, "zeros": 6, "size": 12} for name in ("a", "b")}
    log = [
        {"epoch": number, "loss": 0.5 / number, "accuracy": 0.9, "cells": cells}
        for number in (1, 2)
    ]
    weights = {f"{name}.weight": np.eye(3, 4, dtype=np.float32) for name in cells}
    save(weights, folder / "w")
    files = {
        "run/run.json": json.dumps(description).encode(),
        "run/log.jsonl": "".join(json.dumps(one) + "\n" for one in log).encode(),
    }
    tensors = {
        f"run/{name}.safetensors": (folder / "w").read_bytes() for name in ("initial", "model")
    }
    (folder / "w").unlink()
    return [files, files, files | tensors]


def read_folder(path: Path) -> None:
    page(read_run(Folder(path)))
