"""Loads a file of torch.save, in either of its two forms, after its cost is checked."""

from __future__ import annotations

import io
import os
import re
import zipfile
from io import BufferedReader
from pathlib import Path
from typing import Any

from prunecell import BadFile
from prunecell.cli.errors import CommandError
from prunecell.cli.tensors.torchcalls import UnfitPickleError, foreign
from prunecell.cli.tensors.torchpickle import Costs
from prunecell.formats.bad_file import bad_file, reading, said
from prunecell.formats.with_torch import require
from prunecell.limits import MAX_PICKLE, MAX_SHOWN_CHARS
from prunecell.regular import open_regular

_FOREIGN_CLASS = re.compile(r"GLOBAL ([\w.]+)")


def load_torch(path: Path) -> Any:
    """The content of a file; tensors of a zipped file are mapped, and no code in it is run.

    Raises:
        CommandError: PyTorch is not installed.
        BadFile: The file is damaged, or holds more than tensors, text and numbers.
    """
    try:
        torch = require()
    except ImportError:
        raise CommandError(
            f"{path} is a torch file, which needs PyTorch: pip install 'prunecell[torch]'"
        ) from None
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        _check_archive(path)
    try:
        (_check_zipped if zipped else _check_old)(path)
        # mmap=True reads the values of a zipped file on access.
        if zipped:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_maps(path))
        with _Bounded(open_regular(path)) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # the unpickler of a damaged file may raise anything
        raise BadFile(f"{path}: {_why(error)}") from None


def _check_zipped(path: Path) -> None:
    """Checks the pickle that torch's own reader of archives finds: another may find another."""
    import torch

    with path.open("rb") as file:
        pickle = torch._C.PyTorchFileReader(file).get_record("data.pkl")
    Costs(path.stat().st_size).follow(io.BytesIO(pickle))


def _check_old(path: Path) -> None:
    """Checks the five pickles before the values in files of torch before version 1.6."""
    with open_regular(path) as file:
        pickles = io.BytesIO(file.read(MAX_PICKLE))
    costs = Costs(path.stat().st_size)
    try:
        for _ in ("magic number", "version", "system"):
            costs.visit(costs.follow(pickles))
        costs.follow(pickles)
        keys = costs.follow(pickles)
    except Exception:
        if pickles.tell() < MAX_PICKLE:
            raise
        what = f"pickles of at most {MAX_PICKLE} bytes"
        raise UnfitPickleError(f"expected {what}, got more") from None
    if type(keys) is not list:
        raise ValueError("no list of storages")
    costs.visit_keys(keys)


class _Bounded(BufferedReader):
    """A file whose reads are cut to its size: Python allocates all bytes that a read asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _check_archive(path: Path) -> None:
    """Refuses members larger than the archive: torch does not compress."""
    with reading(path, "an intact torch file"), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > member.compress_size:
                what = "members that are stored, as torch does"
                raise bad_file(path, None, what, said(f"{member.filename!r} deflated"))
            # torch takes names that differ only in case for the same.
            is_pickle = member.filename.lower().endswith("data.pkl")
            if is_pickle and member.file_size > MAX_PICKLE:
                what = f"a pickle of at most {MAX_PICKLE} bytes"
                raise bad_file(path, None, what, member.file_size)


def _maps(path: Path) -> bool:
    """Whether torch can map a file of this name, which must be UTF-8 for that."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _why(error: Exception) -> str:
    text = str(error)
    if isinstance(error, UnfitPickleError):
        return text
    found = _FOREIGN_CLASS.search(text)
    if found:
        return foreign(found[1])
    if "Weights only" in text:  # torch's text is a page of advice on other calls
        text = "not a pickle of tensors"
    first = text.strip().split("\n")[0].split(". ")[0] or type(error).__name__
    return f"expected an intact torch file: {first[:MAX_SHOWN_CHARS]}"
