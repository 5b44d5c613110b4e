"""numpy archives, read and written member by member."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from prunecell import BadFile
from prunecell.cli.errors import CommandError
from prunecell.cli.tensors.source import Listed
from prunecell.cli.terminal import count_text
from prunecell.formats.bad_file import bad_file, reading, said
from prunecell.formats.dtypes import BY_NUMPY_NAME, of_numpy
from prunecell.formats.header import check_shape
from prunecell.formats.stored import Stored
from prunecell.limits import MAX_MEMBERS, MAX_NPY_HEADER, MOST_INFLATED

_SUFFIX = ".npy"
_CHUNK = 1 << 20


class NpzSource:
    """An archive of .npy members, none of which is unpickled."""

    kind = "npz"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.metadata: dict[str, str] = {}
        self.others: list[str] = []
        with reading(path, "a readable zip archive"):
            self._zip = zipfile.ZipFile(path)
        try:
            every = self._zip.infolist()
            if len(every) > MAX_MEMBERS:
                raise bad_file(
                    path, None, f"an archive of at most {MAX_MEMBERS} members", len(every)
                )
            members = [info for info in every if info.filename.endswith(_SUFFIX)]
            self.others = [i.filename for i in every if not i.filename.endswith(_SUFFIX)]
            self._members = {info.filename.removesuffix(_SUFFIX): info for info in members}
            if len(self._members) < len(members):
                raise BadFile(f"{path}: two members have one name")
            self.tensors: dict[str, Listed] = {n: self._listed(n) for n in self._members}
        except BaseException:
            self._zip.close()
            raise

    @property
    def compressed(self) -> bool:
        """Whether any member is compressed."""
        return any(one.compress_type != zipfile.ZIP_STORED for one in self._members.values())

    def read(self, name: str) -> Stored:
        """One tensor, dense, in memory of its own."""
        one = self.tensors[name]
        with self._opened(name, "an intact member") as file:
            shape, fortran, dtype = _header(file)
            if one.dtype not in BY_NUMPY_NAME:
                raise CommandError(f"{self._path}: tensor {name!r}: expected numbers, got {dtype}")
            bits = np.empty(one.size, dtype=dtype.str.replace("|", "<"))
            _fill(bits.view(np.uint8).data, file)
        if not fortran:
            return Stored.of(bits.reshape(shape), name)
        return Stored.of(bits.reshape(shape[::-1]).T, name)

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()

    def _listed(self, name: str) -> Listed:
        member = self._members[name]
        with self._opened(name, "an array") as file:
            shape, _, dtype = _header(file)
            data = member.file_size - file.tell()
            known = None if dtype.hasobject or dtype.subdtype else of_numpy(dtype)
        check_shape(list(shape), max(dtype.itemsize, 1), name, self._path)
        size = math.prod(shape)
        if not dtype.hasobject and (data != size * dtype.itemsize or _promises_too_much(member)):
            wanted = count_text(size * dtype.itemsize, "byte")
            raise BadFile(
                f"{self._path}: tensor {name!r}: expected {wanted} for shape {list(shape)} of "
                f"{dtype}, the member holds {data:,}"
            )
        return Listed(name, known.numpy_name if known else str(dtype), shape, "dense", data, data)

    @contextmanager
    def _opened(self, name: str, expected: str) -> Iterator[IO[bytes]]:
        member = self._members[name]
        if member.flag_bits & 1:
            raise CommandError(f"{self._path}: tensor {name!r}: it is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # numpy writes these two. A few bytes of lzma or bzip2 may take any amount of memory.
            got = said(f"compression {member.compress_type}")
            raise bad_file(self._path, name, "a member that is stored or deflated", got)
        with reading(self._path, expected, name), self._zip.open(member) as file:
            yield file


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of a member; leaves the file at its values."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the .npy format, known are 1.0 and 2.0")
    width = 2 if version == (1, 0) else 4
    length = file.read(width)
    size = int.from_bytes(length, "little")
    if size > MAX_NPY_HEADER:
        raise ValueError(f"a header of {size} bytes, at most {MAX_NPY_HEADER} are read")
    header = io.BytesIO(length + file.read(size))
    try:
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(header)
        return np.lib.format.read_array_header_2_0(header)
    except MemoryError:  # from the parser, at deep nesting
        raise ValueError("a header that is nested too deeply") from None


def _promises_too_much(member: zipfile.ZipInfo) -> bool:
    factor = 1 if member.compress_type == zipfile.ZIP_STORED else MOST_INFLATED
    return member.file_size > factor * member.compress_size + _CHUNK


def _fill(memory: memoryview, file: IO[bytes]) -> None:
    done = 0
    while done < len(memory):
        part = file.read(min(_CHUNK, len(memory) - done))
        if not part:
            raise EOFError(f"{count_text(len(memory), 'byte')} of values, got {done:,}")
        memory[done : done + len(part)] = part
        done += len(part)


class NpzSink:
    """Writes a dense archive, compressed if that of the input was."""

    def __init__(self, file: IO[bytes], *, compressed: bool) -> None:
        kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        self._zip = zipfile.ZipFile(file, "w", kind, allowZip64=True)

    def add_alias(self, name: str, of: str) -> bool:
        """Returns False: an archive has a member for each name."""
        return False

    def add(self, name: str, tensor: Stored) -> None:
        """Writes one tensor."""
        array = tensor.numpy()
        if array.dtype.isbuiltin != 1:  # bfloat16 and the 8-bit floats
            raise CommandError(
                f"tensor {name!r}: .npz has no {tensor.dtype.numpy_name}; "
                "write .safetensors instead"
            )
        # ZipInfo has a fixed date, so that equal tensors make equal files.
        info = zipfile.ZipInfo(name + _SUFFIX)
        info.compress_type = self._zip.compression
        info.external_attr = 0o644 << 16
        with self._zip.open(info, "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, np.lib.format.header_data_from_array_1_0(array)
            )
            data = tensor.bits.view(np.uint8).data if tensor.bits.size else b""
            for start in range(0, len(data), _CHUNK):
                member.write(data[start : start + _CHUNK])

    def close(self) -> None:
        """Writes the end of the archive."""
        self._zip.close()
