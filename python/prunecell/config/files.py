"""Opening the INI file itself, and templates inside its folder tree."""

from __future__ import annotations

import codecs
import os
import stat
from io import BufferedReader
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple

from ..limits import MAX_FILE_BYTES, MAX_PATH_CHARS
from ..regular import open_regular
from .errors import ConfigError, Origin, error_at, shorten


class Source(NamedTuple):
    """A template: its path for messages, its real path, which is its identity, and its text."""

    shown: str
    identity: str
    text: str


def read_main(path: str) -> str:
    """The text of the file at `path`. Raises OSError or, for what is no text, ConfigError."""
    with BufferedReader(open_regular(path)) as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    try:
        return _decoded(data)
    except ValueError as error:
        raise ConfigError(str(error), file=path) from None


class Folder:
    """The folder tree that templates may come from.

    A template is opened only if its path is relative, has no `..`, and still lies inside the tree
    once every symbolic link in it is followed.
    """

    def __init__(self, folder: str) -> None:
        self._given = folder
        self._real = os.path.realpath(folder)

    def resolve(self, name: str, origin: Origin, section: str | None) -> tuple[str, str]:
        """(path to show, path to open) of template `name`. ConfigError for a path outside."""
        if len(name) > MAX_PATH_CHARS or "\0" in name:
            raise error_at(
                origin,
                section,
                f"a template path must be text of up to {MAX_PATH_CHARS} characters, got "
                + shorten(name),
            )
        # Both views, on every system: a path that leaves the folder on one is refused on all.
        for view in (PurePosixPath(name), PureWindowsPath(name)):
            if view.is_absolute() or view.drive or view.root:
                reason = "a template path must be relative to the INI file's folder"
            elif ".." in view.parts:
                reason = 'a template path must not contain ".."'
            else:
                continue
            raise error_at(origin, section, f"{reason}, got {shorten(name)}")
        try:
            real = os.path.realpath(os.path.join(self._real, name))
            inside = os.path.commonpath([self._real, real]) == self._real
        except (OSError, ValueError) as error:
            raise error_at(origin, section, f"template {shorten(name)}: {error}") from None
        if not inside:
            raise error_at(
                origin, section, f"template {shorten(name)} lies outside the INI file's folder"
            )
        return os.path.join(self._given, name), real

    def read(self, name: str, origin: Origin, section: str | None) -> Source:
        """Template `name`. Raises ConfigError at `origin` for a path outside or a failed read."""
        shown, real = self.resolve(name, origin, section)
        try:
            # A pipe or a device inside the folder would make open() wait for ever.
            if not stat.S_ISREG(os.stat(real).st_mode):
                raise error_at(origin, section, f"template {shorten(name)} is not a plain file")
            with open(real, "rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            reason = error.strerror or str(error)
            raise error_at(
                origin, section, f"cannot open template {shorten(shown, 200)}: {reason}"
            ) from None
        try:
            return Source(shown, real, _decoded(data))
        except ValueError as error:
            raise error_at(origin, section, f"template {shorten(name)}: {error}") from None


def _decoded(data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MiB, which no INI file is")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("this file is UTF-16; save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # The reference reads bytes, and older files have Latin-1 names in their comments.
        return data.decode("latin-1")
