"""The kinds of files that `mutate.py` mutates: valid ones, and how each is read."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hostile import valid_files
from prunecell import PruneCell, config
from prunecell.cli.runs import read_run
from prunecell.cli.tensors import open_source
from prunecell.cli.training.folder import Folder
from prunecell.formats import load, load_mask_text, save, save_mask_text
from prunecell.report.page import page

Files = dict[str, bytes]
"""Content by name; a name with ":" is a member of an archive, packed anew after a mutation."""


@dataclass(frozen=True)
class Kind:
    """`valid` makes files to begin with, `read` reads the file or folder that `write` wrote."""

    name: str
    valid: Callable[[Path], list[Files]]
    read: Callable[[Path], None]
    main: str

    def write(self, folder: Path, files: Files) -> Path:
        for name, data in files.items():
            if ":" not in name:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(data)
        members = {name.split(":")[1]: data for name, data in files.items() if ":" in name}
        if members:
            # Stored, with sums that fit: what is wrong is in the members alone.
            with zipfile.ZipFile(folder / self.main, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        return folder / self.main


def unpacked(archive: bytes, main: str) -> Files:
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        return {f"{main}:{name}": members.read(name) for name in members.namelist()}


def read_tensors(path: Path) -> None:
    with closing(open_source(path)) as source:
        for name, listed in source.tensors.items():
            json.dumps([listed.sparsity, listed.shape], allow_nan=False)
            if listed.dense < 1 << 28:
                source.read(name)


# Tensors


def safetensors(folder: Path) -> list[Files]:
    return [{"a.safetensors": data} for data in valid_files(folder)]


def read_safetensors(path: Path) -> None:
    load(path)
    read_tensors(path)


def npz(folder: Path) -> list[Files]:
    arrays = {
        "w": np.arange(12, dtype=np.float32).reshape(3, 4),
        "f": np.asfortranarray(np.ones((3, 5), ">f8")),
        "n": np.array(3),
    }
    found = []
    for write in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        write(buffer, **arrays)
        found += [{"a.npz": buffer.getvalue()}, unpacked(buffer.getvalue(), "a.npz")]
    # More often than not, as most mutations of an archive as a whole end at its sums.
    return [*found, found[1], found[3]]


def torch_files(folder: Path) -> list[Files]:
    import torch

    weight = torch.ones(4, 5)
    content = {
        "model": {"w": weight, "tied": weight, "h": torch.ones(2, 3).bfloat16(), "t": weight.T},
        "list": [torch.arange(3), (1, 2.5, "word", None)],
        "epoch": 3,
    }
    found = []
    for new in (True, False):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=new)
        found.append({"a.pt": buffer.getvalue()})
    members = unpacked(found[0]["a.pt"], "a.pt")
    return [*found, members, members]


# Text


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
    from prunecell.torch.network.build import build

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


class RunKind(Kind):
    """A folder, emptied before: a run without weights is one that goes on."""

    def write(self, folder: Path, files: Files) -> Path:
        shutil.rmtree(folder / self.main, ignore_errors=True)
        return super().write(folder, files)


_ALL = (
    Kind("safetensors", safetensors, read_safetensors, "a.safetensors"),
    Kind("npz", npz, read_tensors, "a.npz"),
    Kind("torch", torch_files, read_tensors, "a.pt"),
    Kind("masks", masks, lambda path: load_mask_text(cell(), path), "m.txt"),
    Kind("ini", ini, read_ini, "a.ini"),
    Kind("network", networks, read_network, "a.ini"),
    RunKind("runs", runs, read_folder, "run"),
)
KINDS = {one.name: one for one in _ALL}
