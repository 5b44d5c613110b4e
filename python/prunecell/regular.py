"""Opening files of others: only what is a file, without waiting for what is not."""

from __future__ import annotations

import os
import stat
from io import FileIO


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """An open file, unbuffered.

    Raises:
        BadFile: A folder, a device or a pipe.
        OSError: It cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody to write. Looked at before it is opened
    # as well: opening a device may do something.
    _check(path, os.stat(path).st_mode)
    file = FileIO(os.fspath(path), "rb", opener=_open)
    try:
        _check(path, os.fstat(file.fileno()).st_mode)
    except BaseException:
        file.close()
        raise
    return file


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(path: str | os.PathLike[str], mode: int) -> None:
    if not stat.S_ISREG(mode):
        # Here and not above: prunecell.config reads with the standard library alone.
        from prunecell._core import BadFile

        kind = "folder" if stat.S_ISDIR(mode) else "device or pipe"
        raise BadFile(f"{os.fspath(path)}: expected a file, got a {kind}")
