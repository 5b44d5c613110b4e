"""Valid files of tensors that `mutate.py` begins with, and how each is read."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
from hostile import valid_files
from prunecell.cli.tensors import open_source
from prunecell.formats import load

Files = dict[str, bytes]
"""Content by name; a name with ":" is a member of an archive, packed anew after a mutation."""


def unpacked(archive: bytes, main: str) -> Files:
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        return {f"{main}:{name}": members.read(name) for name in members.namelist()}


def read_tensors(path: Path) -> None:
    with closing(open_source(path)) as source:
        for name, listed in source.tensors.items():
            json.dumps([listed.sparsity, listed.shape], allow_nan=False)
            if listed.dense < 1 << 28:
                source.read(name)


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
    # More often than not, since most mutations of an archive as a whole end at its checksums.
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
