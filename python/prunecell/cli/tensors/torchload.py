"""What is in a file of torch.save, in whichever of its two forms."""

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
    """What is in a file, its tensors mapped where it is zipped; nothing in it is run.

    Raises:
        CommandError: There is no PyTorch.
        BadFile: It is damaged, or holds other things than tensors, words and numbers.
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
        # mmap: the values of a zipped file are read when they are looked at.
        if zipped:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_maps(path))
        with _Bounded(open_regular(path)) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever the unpickler of a damaged file may raise
        raise BadFile(f"{path}: {_why(error)}") from None


def _check_zipped(path: Path) -> None:
    """Follows the pickle as torch's own reader of archives finds it: another might find another."""
    import torch

    with path.open("rb") as file:
        pickle = torch._C.PyTorchFileReader(file).get_record("data.pkl")
    Costs(path.stat().st_size).follow(io.BytesIO(pickle))


def _check_old(path: Path) -> None:
    """Follows the five pickles that stand before the values in files of before version 1.6."""
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
    """A file that is asked for no more than it has: to read n bytes, Python makes room for n."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _check_archive(path: Path) -> None:
    """Torch stores: a member that is larger than the archive was deflated to take our memory."""
    with reading(path, "an intact torch file"), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > member.compress_size:
                what = "members that are stored, as torch does"
                raise bad_file(path, None, what, said(f"{member.filename!r} deflated"))
            # Torch takes names for one that differ in upper and lower case.
            is_pickle = member.filename.lower().endswith("data.pkl")
            if is_pickle and member.file_size > MAX_PICKLE:
                what = f"a pickle of at most {MAX_PICKLE} bytes"
                raise bad_file(path, None, what, member.file_size)


def _maps(path: Path) -> bool:
    """Whether torch can map a file of this name: it takes UTF-8 alone, and opens any."""
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
    if "Weights only" in text:  # a page of advice on other ways to call torch
        text = "not a pickle of tensors"
    first = text.strip().split("\n")[0].split(". ")[0] or type(error).__name__
    return f"expected an intact torch file: {first[:MAX_SHOWN_CHARS]}"
