"""What is in a file of torch.save, in whichever of its two forms."""

from __future__ import annotations

import os
import re
import zipfile
from io import BufferedReader
from pathlib import Path
from typing import Any

from prunecell import BadFile
from prunecell.cli.errors import CommandError
from prunecell.formats.bad_file import bad_file, reading, said
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
        import torch
    except ImportError:
        raise CommandError(
            f"{path} is a torch file, which needs PyTorch: pip install 'prunecell[torch]'"
        ) from None
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        _check_archive(path)
    try:
        # mmap: the values of a zipped file are read when they are looked at.
        if zipped:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_maps(path))
        with _Bounded(open_regular(path)) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever the unpickler of a damaged file may raise
        raise BadFile(f"{path}: {_why(error)}") from None


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
            if member.filename.endswith("data.pkl") and member.file_size > MAX_PICKLE:
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
    found = _FOREIGN_CLASS.search(text)
    if found:
        return (
            f"expected tensors in dictionaries and lists, found a {found[1][:100]}; objects are "
            "not loaded, as that could run code. Save model.state_dict() instead"
        )
    if "Weights only" in text:  # a page of advice on other ways to call torch
        text = "not a pickle of tensors"
    first = text.strip().split("\n")[0].split(". ")[0] or type(error).__name__
    return f"expected an intact torch file: {first[:MAX_SHOWN_CHARS]}"
