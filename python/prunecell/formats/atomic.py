"""Files written beside and renamed: a name always means the old file or the new one, whole."""

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

_MAX_STEM = 200  # bytes of a name that may have 255


def target_of(path: str | os.PathLike[str]) -> Path:
    """The file that a write to `path` replaces: links are followed, so that they go on existing.

    Raises:
        OSError: A link that leads to itself.
        InvalidArgument: A directory or a device; a rename would put a file in its place.
        FileNotFoundError: Its folder does not exist.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # realpath gives up on a loop, and would have it replaced
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
    # Systems count the bytes of a name.
    stem = os.fsencode(target.name)[:_MAX_STEM].decode("utf-8", "ignore")
    beside = target.with_name(f".{stem}.{secrets.token_hex(6)}.part")
    # Of the old file: who may read and write it. Not setuid and setgid, which were meant for what
    # it held. A new file is as open as the umask has it.
    mode = stat.S_IMODE(target.stat().st_mode) & 0o777 if target.exists() else None
    try:
        # O_EXCL: no link is followed. Until it is whole, nobody else reads what may be secret.
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
            error.filename = os.fspath(path)  # a write that fails does not say of what
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
