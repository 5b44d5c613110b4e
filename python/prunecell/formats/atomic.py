"""Files written beside and renamed: a name always means the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prunecell._core import InvalidArgument


def target_of(path: str | os.PathLike[str]) -> Path:
    """The file that a write to `path` replaces: links are followed, so that they go on existing.

    Raises:
        InvalidArgument: A directory or a device; a rename would put a file in its place.
        FileNotFoundError: Its folder does not exist.
    """
    target = Path(os.path.realpath(path))
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
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.part")
    try:
        # O_EXCL and mode 0o666: no link is followed, and the umask decides as for any new file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(beside, flags, 0o666), "wb") as file:
            yield file
            file.flush()
            # Data before the name: a rename that survives a power cut must not name an empty file.
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(beside, stat.S_IMODE(target.stat().st_mode))
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
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
