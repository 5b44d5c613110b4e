"""Checks of paths before any work begins, and writing of text files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunecell.cli.errors import CommandError
from prunecell.formats.atomic import replacing
from prunecell.regular import open_regular


@contextmanager
def os_errors_are_failures(path: Path) -> Iterator[None]:
    """Turns errors of the system about `path` into CommandErrors."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a BadFile, whose message is complete
            raise
        raise CommandError(f"{path}: {os.strerror(error.errno).lower()}") from None


def check_readable(path: Path) -> None:
    """Refuses a path that is not that of a readable file.

    Raises:
        CommandError: The file does not exist or cannot be opened.
        BadFile: The path is that of a folder, a device or a pipe.
    """
    with os_errors_are_failures(path):
        open_regular(path).close()


def check_writable(path: Path) -> None:
    """Refuses an output that could only fail after all the work.

    Raises:
        CommandError: The folder does not exist or cannot be written to, or `path` is no file.
    """
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device or pipe"
        raise CommandError(f"{path}: expected the name of a file to write, got a {kind}")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: its folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{path}: its folder {path.parent} cannot be written to")


def write_text(path: Path, text: str) -> None:
    """Writes a whole text file, or leaves the old file.

    A byte of a file name that is no UTF-8 becomes an escape, which JSON reads as the same byte.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
