"""`SafetensorsWriter`: writes a safetensors file tensor by tensor."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from types import TracebackType
from typing import IO

from prunecell._core import InvalidArgument
from prunecell.formats.atomic import replacing, target_of
from prunecell.formats.header import Entry, check_names, encode
from prunecell.formats.stored import Stored
from prunecell.limits import MAX_HEADER

_WIDTHS = (8, 4, 2, 1)
_CHUNK = 4 << 20


class SafetensorsWriter:
    """A context manager: the file appears, whole, when its block ends without an exception.

    Tensors go to nameless temporary files in the same folder, one for each element width, and from
    there behind the header, the widest first. So sizes need not be known before, memory holds one
    tensor, and every tensor is aligned, although the format allows no padding. The folder needs
    space for the tensors twice.

    Attributes:
        metadata: Text to store; it may change until the block ends.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.metadata: dict[str, str] = {}
        self._folder = target_of(path).parent
        self._entries: dict[str, Entry] = {}
        self._spools: dict[int, IO[bytes]] = {}
        self._open = ExitStack()

    def add(self, name: str, tensor: Stored) -> None:
        """Writes one tensor.

        Raises:
            InvalidArgument: The name is taken, or the format cannot hold it.
        """
        if name in self._entries:
            raise InvalidArgument(f"{self.path}: a tensor named {name!r} was written already")
        try:
            check_names([name])
        except ValueError as error:
            raise InvalidArgument(f"{self.path}: cannot store the name {name!r}: {error}") from None
        spool = self._spool(tensor.dtype.size)
        start = spool.tell()
        if tensor.bits.size:
            spool.write(tensor.bits.data)
        self._entries[name] = Entry(tensor.dtype, tensor.shape, start, spool.tell())

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def _spool(self, width: int) -> IO[bytes]:
        if width not in self._spools:
            spool: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            self._spools[width] = self._open.enter_context(spool)
        return self._spools[width]

    def _finish(self) -> None:
        spools = [(width, self._spools[width]) for width in _WIDTHS if width in self._spools]
        begins, end = {}, 0
        for width, spool in spools:
            begins[width] = end
            end += spool.tell()
        entries = {name: _moved(one, begins[one.dtype.size]) for name, one in self._entries.items()}
        header = encode(entries, self.metadata)
        if len(header) > MAX_HEADER:
            raise InvalidArgument(
                f"{self.path}: expected names and metadata of at most {MAX_HEADER} bytes, "
                f"got {len(header)}"
            )
        with replacing(self.path) as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for _, spool in spools:
                spool.seek(0)
                shutil.copyfileobj(spool, file, _CHUNK)

    def __enter__(self) -> SafetensorsWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            if kind is None:
                self._finish()


def _moved(one: Entry, by: int) -> Entry:
    return Entry(one.dtype, one.shape, one.start + by, one.stop + by)
