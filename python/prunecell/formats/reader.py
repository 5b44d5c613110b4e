"""`SafetensorsReader`: reads a safetensors file tensor by tensor."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from prunecell._core import InvalidArgument
from prunecell.formats.bad_file import bad_file, said
from prunecell.formats.header import Entry, parse
from prunecell.formats.stored import Stored
from prunecell.limits import MAX_HEADER
from prunecell.regular import open_regular

_PREFIX = 8  # bytes of the header's length


class SafetensorsReader:
    """An open file, whose header is checked when it is opened.

    Each thread needs a reader of its own.

    Attributes:
        path: The path as given.
        entries: The tensors by name, in the order of the header.
        metadata: The metadata of the file.

    Raises:
        BadFile: The file is damaged, or no safetensors file.
        OSError: The file cannot be opened.
    """

    # The file is read, not mapped: a map raises SIGBUS when another process truncates the file.

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._file = open_regular(self.path)
        try:
            self._data_start, raw = self._header()
            data_size = os.fstat(self._file.fileno()).st_size - self._data_start
            self.entries: dict[str, Entry]
            self.metadata: dict[str, str]
            self.entries, self.metadata = parse(raw, data_size, self.path)
        except BaseException:
            self._file.close()
            raise

    def _header(self) -> tuple[int, bytes]:
        size = os.fstat(self._file.fileno()).st_size
        if size < _PREFIX:
            raise bad_file(self.path, None, f"a safetensors file of at least {_PREFIX} bytes", size)
        start = self._file.read(_PREFIX)
        length = int.from_bytes(start, "little")
        limit = min(size - _PREFIX, MAX_HEADER)
        if length > limit:
            what = f"a safetensors file, which has a header of at most {limit} bytes"
            raise bad_file(self.path, None, what, said(f"{length} as it begins with {start!r}"))
        raw = bytearray(length)
        self._fill(memoryview(raw), _PREFIX, "header")
        return _PREFIX + length, bytes(raw)

    def read(self, name: str) -> Stored:
        """One tensor, in memory of its own.

        Raises:
            InvalidArgument: There is no tensor of that name.
        """
        one = self.entry(name)
        bits = np.empty((one.stop - one.start) // one.dtype.size, dtype=one.dtype.bits)
        if bits.size:
            self._fill(bits.data.cast("B"), self._data_start + one.start, name)
        if one.dtype.name == "BOOL" and bits.size and bits.max() > 1:
            raise bad_file(self.path, name, "0 or 1 in a tensor of BOOL", int(bits.max()))
        return Stored(one.dtype, one.shape, bits)

    def entry(self, name: str) -> Entry:
        """The entry of a tensor in the header."""
        if name not in self.entries:
            raise InvalidArgument(f"{self.path}: no tensor is named {name!r}")
        return self.entries[name]

    def _fill(self, memory: memoryview, offset: int, what: str) -> None:
        self._file.seek(offset)
        done = 0
        while done < len(memory):  # a system call reads at most 2 GiB
            count = self._file.readinto(memory[done:])
            if not count:
                raise bad_file(self.path, what, f"{len(memory)} bytes", done)
            done += count

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> SafetensorsReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
