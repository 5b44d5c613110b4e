"""The kinds of files that `mutate.py` mutates."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from valid_tensors import Files, npz, read_safetensors, read_tensors, safetensors, torch_files
from valid_text import ini, masks, networks, read_folder, read_ini, read_masks, read_network, runs


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


class RunKind(Kind):
    """A folder, emptied before: a run without weights is one that goes on."""

    def write(self, folder: Path, files: Files) -> Path:
        shutil.rmtree(folder / self.main, ignore_errors=True)
        return super().write(folder, files)


_ALL = (
    Kind("safetensors", safetensors, read_safetensors, "a.safetensors"),
    Kind("npz", npz, read_tensors, "a.npz"),
    Kind("torch", torch_files, read_tensors, "a.pt"),
    Kind("masks", masks, read_masks, "m.txt"),
    Kind("ini", ini, read_ini, "a.ini"),
    Kind("network", networks, read_network, "a.ini"),
    RunKind("runs", runs, read_folder, "run"),
)
KINDS = {one.name: one for one in _ALL}
