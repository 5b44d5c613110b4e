"""Atomic writes: a file is written beside and renamed, so that readers see old or new, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prunecell._core import InvalidArgument

_MAX_STEM = 200  # bytes; a name may have 255


def target_of(path: str | os.PathLike[str]) -> Path:
    """The file that a write to `path` replaces: links are followed, so that they stay links.

    Raises:
        OSError: The path is a link that leads to itself.
        InvalidArgument: The path is a directory or a device, which a rename would replace.
        FileNotFoundError: The folder of the file does not exist.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # realpath gives up on a loop and returns the link
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    if target.exists() and not target.is_file():
        raise InvalidArgument(f"{path}: expected the name of a file, got a directory or a device")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {target.parent} does not exist")
    return target


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends, and vanishes when it raises.

    A process that is killed inside leaves the old file and a `.part` file beside it.
    """
    target = target_of(path)
    # Systems limit the bytes of a name, not its characters.
    stem = os.fsencode(target.name)[:_MAX_STEM].decode("utf-8", "ignore")
    beside = target.with_name(f".{stem}.{secrets.token_hex(6)}.part")
    # Permissions are those of the old file, or follow the umask. setuid and setgid are dropped:
    # they were meant for the old content.
    mode = stat.S_IMODE(target.stat().st_mode) & 0o777 if target.exists() else None
    try:
        # O_EXCL follows no link. Only the owner can read what replaces a file before it is whole.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(beside, flags, 0o666 if mode is None else 0o600 & mode | 0o200)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            # Data before the name: a rename that survives a power cut must not name an empty file.
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(beside, mode)
        os.replace(beside, target)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)  # the error of a failed write has no name
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
