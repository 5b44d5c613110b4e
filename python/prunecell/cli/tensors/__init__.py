"""Files of tensors of all kinds, read and written one tensor at a time."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from prunecell import BadFile
from prunecell.cli.files import check_readable, os_errors_are_failures
from prunecell.cli.tensors.npz import NpzSource
from prunecell.cli.tensors.safetensors import SafetensorsSource
from prunecell.cli.tensors.sink import Sink, kind_of, writing
from prunecell.cli.tensors.source import Listed, Source, other_entries
from prunecell.cli.tensors.torchfile import TorchSource

__all__ = ["Listed", "Sink", "Source", "kind_of", "open_source", "other_entries", "writing"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second begins an empty archive
_PICKLE = b"\x80"
ACCEPTED = "a safetensors file, an .npz archive or a torch file"


def open_source(path: Path) -> Source:
    """Opens a file by its content; its name does not matter.

    Raises:
        CommandError: The file cannot be read.
        BadFile: The file is damaged, or of another kind.
    """
    check_readable(path)
    with os_errors_are_failures(path):
        with path.open("rb") as file:
            start = file.read(9)
        if start.startswith(_ZIP):
            return TorchSource(path) if _is_torch_zip(path) else NpzSource(path)
        # A safetensors header is JSON of less than 2**56 bytes behind its length.
        if start[8:] == b"{" and start[7] == 0:
            return SafetensorsSource(path)
        if start.startswith(_PICKLE):
            return TorchSource(path)
        if path.suffix.lower() == ".safetensors":
            return SafetensorsSource(path)  # raises the error
    got = "an empty file" if not start else f"one that begins with {start!r}"
    raise BadFile(f"{path}: expected {ACCEPTED}, got {got}")


def _is_torch_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        # A file that was cut off has no list of members, but the first member's name at the start.
        with path.open("rb") as file:
            return b"data.pkl" in file.read(256)
