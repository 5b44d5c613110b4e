"""Opening files of strangers: regular files only, without waiting for pipes and devices."""

from __future__ import annotations

import os
import stat
from io import FileIO


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """An open regular file, unbuffered.

    Raises:
        BadFile: The path is that of a folder, a device or a pipe.
        OSError: The file cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer. The kind is checked before opening as
    # well, since opening a device may have effects.
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
        # Imported here because prunecell.config reads with the standard library alone.
        from prunecell._core import BadFile

        kind = "folder" if stat.S_ISDIR(mode) else "device or pipe"
        raise BadFile(f"{os.fspath(path)}: expected a file, got a {kind}")
